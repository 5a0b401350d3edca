"""Scrapes are judged by their time under load, and by whether they grow."""

import pytest

from bench.scrapes import GROWTH, SERVICES, TARGET, verdicts

ROW = {"p50_ms": 1.0, "p99_ms": TARGET, "max_ms": 30.0, "cpu_ms": 1.0, "samples": 100.0}
CONDITIONS = ("just started", "both at full load", "after the load", "after generations")


def missed(**changes: dict[str, float]) -> list[object]:
    """Return the targets that are missed when the api's row differs in these conditions."""
    results = {condition: {name: dict(ROW) for name in SERVICES} for condition in CONDITIONS}
    for condition, change in changes.items():
        results[condition.replace("_", " ")]["api"].update(change)
    return [each["what"] for each in verdicts(results) if not each["met"]]


@pytest.mark.parametrize("change", [{}, {"cpu_ms": GROWTH}, {"samples": 100.0 * GROWTH}])
def test_every_target_is_met_at_its_bound(change: dict[str, float]) -> None:
    """One of the services is enough to miss it."""
    assert missed(after_the_load=change, after_generations=change) == []


def test_a_slow_scrape_and_each_growth_is_missed() -> None:
    """Named by what caused it."""
    assert missed(both_at_full_load={"p99_ms": TARGET + 1}) == [
        "p99 with both services at full load, ms"
    ]
    assert missed(after_generations={"samples": 160.0}) == [
        "growth with worker generations, samples",
        "growth with uptime, samples",
    ]
