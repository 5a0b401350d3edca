"""A target is met or it is not, and the medians are the rounds' own."""

import pytest

from bench.api.contestants import FASTAPI, OURS
from bench.api.measurement import Sample, medians
from bench.api.scenarios import SCENARIOS
from bench.api.targets import TARGETS, Target, judge

ROWS = {"greeting": {OURS: {"per_second": 23.0, "cpu_us": 30.0}, FASTAPI: {"per_second": 10.0}}}


@pytest.mark.parametrize(
    "bound, direction, met",
    [(2.3, ">=", True), (2.31, ">=", False), (2.3, "<=", True), (2.29, "<=", False)],
)
def test_a_target_is_a_bound_on_our_figure_over_theirs(
    bound: float, direction: str, *, met: bool
) -> None:
    """The bound itself is enough."""
    target = Target("greeting", "per_second", FASTAPI, bound, direction)  # type: ignore[arg-type]
    assert (target.ratio(ROWS), target.is_met(ROWS)) == (2.3, met)


def test_what_was_not_measured_is_not_judged() -> None:
    """With --only, or without a toolchain, the other targets are left out."""
    assert [each["over"] for each in judge(ROWS)] == [FASTAPI]


def test_every_target_is_about_a_scenario_and_its_contestants() -> None:
    """A renamed scenario would silently drop its targets."""
    contestants = {scenario.name: scenario.contestants for scenario in SCENARIOS}
    for target in TARGETS:
        assert {OURS, target.versus} <= set(contestants[target.scenario])


def test_a_figure_is_the_median_of_its_rounds() -> None:
    """One disturbed round moves nothing."""
    rounds = [Sample(cpu, cpu * 2, 1000.0, 1.0, 2.0) for cpu in (30.0, 31.0, 900.0)]
    assert medians(rounds) == {
        "cpu_us": 31.0,
        "database_cpu_us": 62.0,
        "per_second": 1000.0,
        "p50_ms": 1.0,
        "p99_ms": 2.0,
    }
