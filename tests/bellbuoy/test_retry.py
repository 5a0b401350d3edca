"""Trying again, on virtual time: when, how often, how long, and when not."""

import asyncio
import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellbuoy import async_retry
from bellbuoy.errors import Refused
from bellbuoy.retry import Attempt
from bellbuoy.retrybudget import RetryBudget


class Time:
    """Virtual seconds: sleeping passes them."""

    def __init__(self) -> None:
        """Begin at nought."""
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        """Tell the time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass at once."""
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


class Source:
    """Fails as many times as it is told."""

    def __init__(self, failures: int, error: BaseException | None = None) -> None:
        """Fail with ``error``; by default with a ConnectionError."""
        self.failures = failures
        self.error = error or ConnectionError("away")
        self.calls = 0

    async def fetch(self) -> str:
        """Return something, sooner or later."""
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error
        return "something"


async def test_what_passes_by_itself_is_tried_again() -> None:
    """Two failures, three attempts, each of them told of."""
    time, source, told = Time(), Source(2), list[Attempt]()
    fetch = async_retry(
        on=ConnectionError, sleep=time.sleep, clock=time, jitter=lambda: 1.0, observe=told.append
    )(source.fetch)
    assert await fetch() == "something"
    assert time.slept == [0.1, 0.2]
    assert told == [
        Attempt(1, "retried", 0.1),
        Attempt(2, "retried", 0.2),
        Attempt(3, "succeeded", 0.0),
    ]


async def test_the_last_error_is_raised_unchanged() -> None:
    """Whoever called sees what happened, and not that it was tried again."""
    time, told = Time(), list[Attempt]()
    source = Source(9)
    fetch = async_retry(3, on=ConnectionError, sleep=time.sleep, clock=time, observe=told.append)(
        source.fetch
    )
    with pytest.raises(ConnectionError) as raised:
        await fetch()
    assert raised.value is source.error
    assert source.calls == 3
    assert [each.outcome for each in told] == ["retried", "retried", "exhausted"]


async def test_a_bug_is_not_tried_again() -> None:
    """An error that was not named is raised by the first attempt."""
    told = list[Attempt]()
    source = Source(9, LookupError())
    with pytest.raises(LookupError):
        await async_retry(on=ConnectionError, observe=told.append)(source.fetch)()
    assert (source.calls, told) == (1, [Attempt(1, "failed", 0.0)])


async def test_an_error_can_be_looked_at_more_closely() -> None:
    """The same class may be worth it or not."""
    source = Source(9, OSError(5, "broken"))
    with pytest.raises(OSError, match="broken"):
        await async_retry(on=OSError, when=lambda error: "away" in str(error))(source.fetch)()
    assert source.calls == 1


async def test_a_cancellation_is_never_tried_again() -> None:
    """Neither in an attempt nor in the waiting between two."""
    told = list[Attempt]()
    began = asyncio.Event()

    async def hang() -> None:
        began.set()
        await asyncio.Event().wait()

    attempt = asyncio.ensure_future(async_retry(on=OSError, observe=told.append)(hang)())
    await began.wait()
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    assert told == [Attempt(1, "cancelled", 0.0)]

    async def sleep(_: float) -> None:
        began.set()
        await asyncio.Event().wait()

    began.clear()
    source = Source(9)
    waiting = asyncio.ensure_future(async_retry(on=OSError, sleep=sleep)(source.fetch)())
    await began.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert source.calls == 1


async def test_nothing_is_waited_for_that_the_deadline_would_end() -> None:
    """It gives up at once, with the error."""
    time, told = Time(), list[Attempt]()
    source = Source(99)
    fetch = async_retry(
        99,
        delay=1.0,
        on=ConnectionError,
        deadline=5.0,
        sleep=time.sleep,
        clock=time,
        jitter=lambda: 1.0,
        observe=told.append,
    )(source.fetch)
    with pytest.raises(ConnectionError):
        await fetch()
    assert time.slept == [1.0, 2.0]  # four more would be seven
    assert told[-1].outcome == "late"


async def test_the_deadline_ends_the_attempt_under_way() -> None:
    """A source that hangs is no reason to."""
    told = list[Attempt]()

    async def hang() -> None:
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await async_retry(on=TimeoutError, deadline=0.05, observe=told.append)(hang)()
    assert told == [Attempt(1, "late", 0.0)]


async def test_a_refusal_s_own_advice_is_kept() -> None:
    """Who says when to come back is not asked before."""
    time = Time()
    source = Source(1, Refused("full", 2.5))
    fetch = async_retry(on=Refused, sleep=time.sleep, clock=time, jitter=lambda: 0.5)(source.fetch)
    assert await fetch() == "something"
    assert time.slept == [2.55]


async def test_when_everything_fails_the_budget_bounds_the_attempts() -> None:
    """Whoever calls through it: a thousand calls make at most 1,200 attempts."""
    time, source, told = Time(), Source(10_000), list[Attempt]()
    budget = RetryBudget(ratio=0.2, minimum=0, clock=time)
    fetch = async_retry(
        3,
        delay=0,
        on=ConnectionError,
        budget=budget,
        sleep=time.sleep,
        clock=time,
        observe=told.append,
    )(source.fetch)
    for _ in range(1000):
        with pytest.raises(ConnectionError):
            await fetch()
    assert source.calls == 1200
    assert sum(each.outcome == "no_budget" for each in told) > 0


@given(st.integers(1, 200), st.floats(0, 1), st.floats(1, 10))
def test_the_delay_is_spread_and_bounded(number: int, chance: float, backoff: float) -> None:
    """Full jitter: anything from nothing to the backed-off delay, which itself has a bound."""
    time = Time()
    fetch = async_retry(
        number + 1,
        delay=0.1,
        backoff=backoff,
        max_delay=2.0,
        deadline=1e6,
        on=ConnectionError,
        sleep=time.sleep,
        clock=time,
        jitter=lambda: chance,
    )(Source(number).fetch)
    assert asyncio.run(_within(fetch())) == "something"
    for attempt, slept in enumerate(time.slept):
        assert 0 <= slept <= min(2.0, 0.1 * backoff**attempt) * chance + 1e-9
    assert len(time.slept) == number


async def _within(work: "asyncio.Future[str] | object") -> object:
    async with asyncio.timeout(60):
        return await work  # type: ignore[misc]  # whatever async_retry returned


def test_signature_and_docstring_stay() -> None:
    """A decorated function is read like the one that was written."""

    async def fetch(url: str, *, size: int = 3) -> bytes:
        """Fetch it."""
        return url.encode()[:size]

    decorated = async_retry(on=OSError)(fetch)
    assert inspect.signature(decorated) == inspect.signature(fetch)
    assert (decorated.__doc__, decorated.__name__) == ("Fetch it.", "fetch")
    assert inspect.iscoroutinefunction(decorated)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_attempts": 0},
        {"max_attempts": -1},
        {"delay": -0.1},
        {"delay": 2, "max_delay": 1},
        {"backoff": 0.5},
        {"deadline": 0},
    ],
)
def test_arguments_that_make_no_sense_are_refused_at_once(wrong: dict[str, float]) -> None:
    """At the decoration, and not at the first call or never."""
    with pytest.raises(ValueError, match=r"at least|not negative|more than"):
        async_retry(on=OSError, **wrong)  # type: ignore[arg-type]  # a test says what it wants


@pytest.mark.parametrize(
    "unnamed",
    [Exception, BaseException, (OSError, Exception), asyncio.CancelledError, (), "OSError", int],
)
def test_errors_are_named(unnamed: object) -> None:
    """Everything is no name: a bug would be tried again; a cancellation never is."""
    with pytest.raises(TypeError):
        async_retry(on=unnamed)  # type: ignore[arg-type]  # a test says what it wants


def test_only_coroutine_functions_are_decorated() -> None:
    """Of another nothing would be awaited, and so nothing tried again."""
    with pytest.raises(TypeError, match="no coroutine function"):
        async_retry(on=OSError)(lambda: None)  # type: ignore[arg-type,return-value]
