"""Instruments count in cells of their own, and publish all of them at once."""

import math
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellbuoy.instruments import Histogram, Instruments
from bellbuoy.metrics import Layout, NameTable, counter, gauge, histogram

ROUTES = NameTable("routes", ("route",), 2)
PLAIN = counter("plain_total", "…")
LABELLED = counter("labelled_total", "…", labels={"outcome": ("good", "bad")}, names=ROUTES)
LEVEL = gauge("level", "…")
TIMES = histogram("times_seconds", "…", buckets=(1.0, 2.0), labels={"side": ("a", "b")})
FAMILIES = (PLAIN, LABELLED, LEVEL, TIMES)


@pytest.fixture
def instruments() -> Instruments:
    """Return the instruments of a plain script."""
    return Instruments(Layout(FAMILIES))


def test_a_counter_grows(instruments: Instruments) -> None:
    """By one, or by what is given."""
    plain = instruments.counter(PLAIN)
    plain.inc()
    plain.inc(2.5)
    assert plain.value == 3.5


def test_a_gauge_goes_up_and_down(instruments: Instruments) -> None:
    """Or to a value at once."""
    level = instruments.gauge(LEVEL)
    level.set(10)
    level.inc(5)
    level.dec()
    level.dec(2)
    assert level.value == 12


def test_two_instruments_of_one_series_are_one(instruments: Instruments) -> None:
    """Whoever asks for the same labels counts in the same cell; nobody else does."""
    instruments.counter(LABELLED, route="/", outcome="bad").inc()
    instruments.counter(LABELLED, route="/", outcome="bad").inc()
    assert instruments.counter(LABELLED, outcome="bad", route="/").value == 2
    assert instruments.counter(LABELLED, route="/", outcome="good").value == 0
    assert sum(instruments.cells) == 2


def test_names_beyond_the_table_share_a_series(instruments: Instruments) -> None:
    """The third of two routes counts as `other`, and so does the fourth."""
    for route in ("a", "b", "c", "d"):
        instruments.counter(LABELLED, route=route, outcome="good").inc()
    assert instruments.counter(LABELLED, route="other", outcome="good").value == 2


def test_an_observation_falls_into_the_first_bucket_that_holds_it(instruments: Instruments) -> None:
    """Upper edges belong to their bucket, as in the exposition format."""
    times = instruments.histogram(TIMES, side="b")
    for value in (0.5, 1.0, 1.5, 2.0, 3.0):
        times.observe(value)
    start = instruments.layout.series(TIMES, 0, 1)
    assert list(instruments.cells[start : start + 4]) == [2, 2, 1, 8.0]
    assert sum(instruments.cells[:start]) == 0


@given(st.lists(st.floats(-10, 10), max_size=30))
def test_every_observation_is_in_exactly_one_bucket(values: list[float]) -> None:
    """The buckets add up to the count, and the sum to the sum."""
    cells = array("d", bytes(8 * 5))
    times = Histogram(cells, 0, (-1.0, 0.0, 1.0))
    for value in values:
        times.observe(value)
    assert sum(cells[:4]) == len(values)
    assert math.isclose(cells[4], sum(values), abs_tol=1e-9)


def test_a_family_without_names_has_no_name_table(instruments: Instruments) -> None:
    """Asking for it is a mistake of the program."""
    assert instruments.names(LABELLED).table is ROUTES
    with pytest.raises(KeyError):
        instruments.names(PLAIN)


def test_a_missing_label_is_a_mistake(instruments: Instruments) -> None:
    """A name and a fixed label alike."""
    for labels in ({"outcome": "good"}, {"route": "/"}):
        with pytest.raises(KeyError):
            instruments.counter(LABELLED, **labels)


def test_counting_goes_on_from_what_a_predecessor_counted() -> None:
    """A replacement's counters never begin below."""
    layout = Layout(FAMILIES)
    first = Instruments(layout)
    first.counter(PLAIN).inc(7)
    second = Instruments(layout, initial=array("d", first.cells))
    second.counter(PLAIN).inc()
    assert (first.counter(PLAIN).value, second.counter(PLAIN).value) == (7, 8)


def test_a_flush_collects_and_then_publishes_everything_once() -> None:
    """What collectors store is part of the same publication; before it, nothing is seen."""
    published: list[list[float]] = []
    instruments = Instruments(Layout([PLAIN, LEVEL]), lambda cells: published.append(list(cells)))
    instruments.before_flush(lambda: instruments.gauge(LEVEL).set(5))
    instruments.before_flush(lambda: instruments.gauge(LEVEL).inc())
    instruments.counter(PLAIN).inc()
    assert published == []
    instruments.flush()
    assert published == [[1.0, 6.0]]


def test_a_plain_script_may_flush_too(instruments: Instruments) -> None:
    """Collectors run; there is nobody to publish to."""
    instruments.before_flush(lambda: instruments.gauge(LEVEL).set(5))
    instruments.flush()
    assert instruments.gauge(LEVEL).value == 5
