"""Findings: in the order in which a person should read them."""

from bellbuoy.host.statuspage.finding import Finding, worst_first


def test_the_worst_comes_first_and_equals_stay_in_order() -> None:
    """Bad, warn, note."""
    found = [
        Finding("1", "note", "", "", ""),
        Finding("2", "bad", "", "", ""),
        Finding("3", "warn", "", "", ""),
        Finding("4", "bad", "", "", ""),
    ]
    assert [each.key for each in worst_first(found, lambda each: each.level)] == list("2431")
