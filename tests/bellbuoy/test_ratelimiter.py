"""Rates: what a key may do in any stretch of time, and that what it is told is true."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellbuoy.ratelimiter import RateLimiter

RATES = st.sampled_from([0.1, 1 / 3, 1.0, 7.0, 100.0, 1234.5])
BURSTS = st.integers(1, 20)
PAUSES = st.lists(st.floats(0, 3, allow_nan=False), min_size=1, max_size=200)


class Clock:
    """Seconds that a test lets pass, of a machine that has been up for months."""

    def __init__(self) -> None:
        """Start late."""
        self.now = 9_000_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@given(RATES, BURSTS, PAUSES)
def test_no_stretch_of_time_holds_more_than_the_rate_and_a_burst(
    rate: float, burst: int, pauses: list[float]
) -> None:
    """Between any two moments, however the requests are spread."""
    clock = Clock()
    limiter = RateLimiter(rate, burst, clock=clock)
    allowed = []
    for pause in pauses:
        clock.now += pause / rate
        if limiter.decide("a").allowed:
            allowed.append(clock.now)
    for first, start in enumerate(allowed):
        for count, end in enumerate(allowed[first:], start=1):
            assert count <= burst + (end - start + 1e-5) * rate


@given(RATES, BURSTS, PAUSES)
def test_who_keeps_to_the_rate_is_never_refused(
    rate: float, burst: int, pauses: list[float]
) -> None:
    """However small the burst."""
    clock = Clock()
    limiter = RateLimiter(rate, burst, clock=clock)
    for pause in pauses:
        assert limiter.decide("a").allowed
        clock.now += (1 + pause) / rate


@given(RATES, BURSTS, PAUSES)
def test_what_is_told_is_true(rate: float, burst: int, pauses: list[float]) -> None:
    """As many as remain may come at once and not one more; who waits as told gets in."""
    clock = Clock()
    limiter = RateLimiter(rate, burst, clock=clock)
    for pause in pauses:
        clock.now += pause / rate
        told = limiter.decide("a")
        for left in reversed(range(told.remaining)):
            assert limiter.decide("a").remaining == left
        refused = limiter.decide("a")
        assert (refused.allowed, refused.remaining, refused.limit) == (False, 0, burst)
        assert refused.retry_after <= 1 / rate + 1e-5
        clock.now += refused.retry_after
        assert limiter.decide("a").allowed


@given(RATES, BURSTS, PAUSES)
def test_after_the_reset_a_whole_burst_may_come(
    rate: float, burst: int, pauses: list[float]
) -> None:
    """And what it says meanwhile is never more than a burst."""
    clock = Clock()
    limiter = RateLimiter(rate, burst, clock=clock)
    told = limiter.decide("a")
    for pause in pauses:
        clock.now += pause / rate
        told = limiter.decide("a")
        assert 0 < told.reset <= burst / rate + 1e-5
    clock.now += told.reset
    assert [limiter.decide("a").allowed for _ in range(burst + 1)] == [True] * burst + [False]


def test_a_refused_request_costs_nothing() -> None:
    """Who hammers is let in as soon as who waits."""
    clock = Clock()
    limiter = RateLimiter(1, 1, clock=clock)
    assert limiter.decide("a").allowed
    for _ in range(99):
        clock.now += 0.01
        assert not limiter.decide("a").allowed
    clock.now += 0.01
    assert limiter.decide("a").allowed


def test_keys_do_not_concern_each_other() -> None:
    """Each has its own bucket."""
    limiter = RateLimiter(1, 1, clock=Clock())
    assert [limiter.decide(key).allowed for key in "abab"] == [True, True, False, False]


def test_a_clock_that_stands_still_or_steps_back_gives_nothing_away() -> None:
    """Monotonic clocks do not, but a test's or a paused machine's might."""
    clock = Clock()
    limiter = RateLimiter(1, 2, clock=clock)
    assert [limiter.decide("a").allowed for _ in range(3)] == [True, True, False]
    clock.now -= 5
    assert not limiter.decide("a").allowed


def test_only_so_many_keys_are_remembered() -> None:
    """The one unseen for longest goes, and it is counted when it had something to wait for."""
    clock = Clock()
    limiter = RateLimiter(1, 1, keys=2, clock=clock)
    for key in "abac":
        limiter.decide(key)
    held = limiter.statistics()
    assert (held.keys, held.allowed, held.refused, held.forgotten) == (2, 3, 1, 1)
    assert not limiter.decide("a").allowed
    assert limiter.decide("b").allowed
    clock.now += 10
    limiter.decide("d")
    assert limiter.statistics().forgotten == 2


@pytest.mark.parametrize(
    "rate, burst, keys", [(0, 1, 1), (-1, 1, 1), (float("nan"), 1, 1), (1, 0, 1), (1, 1, 0)]
)
def test_what_makes_no_sense_is_refused(rate: float, burst: int, keys: int) -> None:
    """A rate limiter that lets nobody or everybody in is a mistake."""
    with pytest.raises(ValueError, match="positive"):
        RateLimiter(rate, burst, keys)
