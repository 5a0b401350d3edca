"""The budget: its arithmetic at the worst moment, and what it says of it."""

import dataclasses

import pytest

from bellbuoy.budget import Budget, Tenant, leaving

API = Tenant(name="api", replicas=10, surge=1, leaving=4, workers=2, pool_size=5)


def test_a_rollout_at_full_scale_is_what_counts() -> None:
    """New, surging and leaving instances, each worker with its pool and its probe."""
    assert API.instances == 15
    assert API.connections == 15 * 2 * (5 + 1)


@pytest.mark.parametrize(
    "most, verdict",
    [(192, "It holds, with 0 to spare."), (191, "It does not hold: 1 too many.")],
)
def test_everybody_counts_and_superusers_keep_theirs(most: int, verdict: str) -> None:
    """180 of the api, a job, 5 for metrics, 3 people: 189, and 3 are reserved."""
    budget = Budget(tenants=(API,), jobs=1, max_connections=most)
    assert budget.needed == 189
    assert budget.holds is (most == 192)
    assert verdict in budget.report()


def test_the_report_shows_every_term() -> None:
    """Whoever reads it can check the sum."""
    report = Budget(tenants=(API,), jobs=1, max_connections=200).report()
    assert [line.split()[0] for line in report.splitlines()[:-1]] == ["180", "9", "189", "197"]
    assert "api: (10 replicas + 1 surge + 4 leaving) x 2 workers x (5 pool + 1 probe)" in report


@pytest.mark.parametrize(
    "replicas, grace, pace, expected",
    [(10, 60, 5, 10), (100, 60, 5, 12), (10, 20, 10, 2), (10, 20, 0, 10), (1, 60, 5, 1)],
)
def test_who_leaves_slowly_piles_up(
    replicas: int, grace: float, pace: float, expected: int
) -> None:
    """One is told to stop at each step of the rollout and may take its whole grace."""
    assert leaving(replicas, 1, grace, pace) == expected


def test_more_of_anything_needs_more() -> None:
    """No term is left out."""
    for field in ("replicas", "surge", "leaving", "workers", "pool_size"):
        more = dataclasses.replace(API, **{field: getattr(API, field) + 1})
        assert more.connections > API.connections, field
