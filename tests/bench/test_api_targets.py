"""A target is met or it is not, and the medians are the rounds' own."""

import pytest

from bench.api.contestants import BARE, FASTAPI, OURS
from bench.api.measurement import Sample, medians
from bench.api.scenarios import SCENARIOS
from bench.api.targets import NOT_MEASURED, TARGETS, Rows, Target, judge

ROWS = {"greeting": {OURS: {"per_second": 23.0, "cpu_us": 30.0}, FASTAPI: {"per_second": 10.0}}}


@pytest.mark.parametrize(
    "bound, direction, met",
    [
        (2.3, ">=", True),
        (2.31, ">=", False),
        (2.3, "<=", True),
        (2.29, "<=", False),
        (2.31, "<", True),
        (2.3, "<", False),
    ],
)
def test_a_target_is_a_bound_on_our_figure_over_theirs(
    bound: float, direction: str, *, met: bool
) -> None:
    """The bound itself is enough, unless the figure is to lie below."""
    target = Target("greeting", "per_second", FASTAPI, bound, direction)  # type: ignore[arg-type]
    assert (target.ratio(ROWS), target.is_met(ROWS)) == (2.3, met)


@pytest.mark.parametrize(
    "rows", [{}, {"greeting": {}}, {"greeting": {OURS: {}}}, {"greeting": {BARE: {}}}]
)
def test_what_was_not_measured_is_not_met(rows: Rows) -> None:
    """A contestant that did not start must not take its targets with it."""
    verdicts = judge(rows)
    assert len(verdicts) == len(TARGETS)
    assert {(each["ratio"], each["met"]) for each in verdicts} == {(NOT_MEASURED, False)}


def test_lower_than_another_is_lower() -> None:
    """As slow as the others is no target met."""
    directions = {target.direction for target in TARGETS if target.field == "p99_ms"}
    assert directions == {"<"}


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
