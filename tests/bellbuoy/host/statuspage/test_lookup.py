"""A lookup finds what a search through all series would find, in the same order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellbuoy.host.statuspage.lookup import Lookup
from bellbuoy.metrics import NameTable, counter
from bellbuoy.scoreboard import Scoreboard
from bellbuoy.snapshot import Snapshot, take

ROUTES = NameTable("routes", ("route", "method"), 9)
DONE = counter("done_total", "…", labels={"outcome": ("good", "bad")}, names=ROUTES)
TOTAL = counter("total", "…")

ROUTE = st.sampled_from("abc")
METHOD = st.sampled_from(["GET", "PUT"])
ASKED = st.fixed_dictionaries(
    {}, optional={"method": METHOD, "route": ROUTE, "outcome": st.sampled_from(["good", "worse"])}
)


def counted(names: list[tuple[str, str]]) -> Snapshot:
    """Return a snapshot in which these were counted."""
    board = Scoreboard([DONE, TOTAL], slots=1)
    instruments = board.own.instruments()
    for route, method in names:
        instruments.counter(DONE, route=route, method=method, outcome="bad").inc()
    instruments.flush()
    return take(board)


@given(names=st.lists(st.tuples(ROUTE, METHOD)), asked=st.lists(ASKED, max_size=3))
def test_it_finds_what_a_search_would_find(
    names: list[tuple[str, str]], asked: list[dict[str, str]]
) -> None:
    """Whatever the labels, however many of them, and also the second time."""
    snapshot = counted(names)
    lookup = Lookup(snapshot)
    for labels in (*asked, *asked):
        expected = [
            series
            for series in snapshot.series(DONE.name)
            if labels.items() <= dict(zip(DONE.label_names, series.labels, strict=True)).items()
        ]
        assert list(lookup.series(DONE.name, labels)) == expected


def test_it_knows_which_families_there_are() -> None:
    """And has no series of others."""
    lookup = Lookup(counted([]))
    assert lookup.family("total") is TOTAL
    assert lookup.family("nothing_total") is None
    assert list(lookup.series("nothing_total", {"route": "a"})) == []
    assert [series.labels for series in lookup.series("total", {})] == [()]


def test_a_label_that_the_family_has_not_got_is_a_mistake() -> None:
    """Of who wrote the page, not of who counted."""
    with pytest.raises(ValueError, match="not in tuple"):
        Lookup(counted([])).series(TOTAL.name, {"colour": "red"})
