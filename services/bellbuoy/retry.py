"""Trying again: what is named as worth it, spread in time, and never without bound.

Law of this file: trying again is for what may pass by itself and does no harm twice. So the errors
are named one by one, a cancellation is never one of them, and there are four ends: success, the
last attempt, the deadline and the budget. Whoever gives up raises the last error, unchanged.

The waiting has **full jitter** (a random time between nothing and the backed-off delay): callers
that failed together do not come back together. See "Exponential Backoff And Jitter", AWS, 2015.
"""

import asyncio
import functools
import inspect
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Literal, ParamSpec, TypeVar

import tenacity

from bellbuoy.errors import Refused
from bellbuoy.retrybudget import RetryBudget

P = ParamSpec("P")
R = TypeVar("R")

Outcome = Literal["succeeded", "retried", "failed", "exhausted", "late", "no_budget", "cancelled"]
OUTCOMES: tuple[Outcome, ...] = (
    "succeeded",
    "retried",  # it failed, and another attempt follows
    "failed",  # with an error that is not worth trying again
    "exhausted",  # it was the last one allowed
    "late",  # the deadline came, or would have come before the next one
    "no_budget",  # the dependency bears no more
    "cancelled",
)

_EVERYTHING = (BaseException, Exception)
_NEVER = (asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit)


@dataclass(frozen=True)
class Attempt:
    """One attempt, after it.

    Args:
        number: From 1.
        outcome: How it ended.
        wait: Seconds until the next one; 0 when there is none.
    """

    number: int
    outcome: Outcome
    wait: float


def async_retry(  # noqa: PLR0913 - each is one decision, and has its name at the call
    max_attempts: int = 3,
    delay: float = 0.1,
    backoff: float = 2.0,
    *,
    on: type[Exception] | tuple[type[Exception], ...],
    when: Callable[[Exception], bool] | None = None,
    max_delay: float = 10.0,
    deadline: float = 15.0,
    budget: RetryBudget | None = None,
    observe: Callable[[Attempt], object] | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    jitter: Callable[[], float] = random.random,
    clock: Callable[[], float] = time.monotonic,
) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Callable[P, Coroutine[Any, Any, R]]]:
    """Return a decorator that tries a coroutine function again.

    ::

        @async_retry(on=(ConnectionError, TimeoutError), budget=RetryBudget())
        async def fetch(url: str) -> bytes: ...

    Signature, docstring and types stay.

    Args:
        max_attempts: Attempts in all, at least 1.
        delay: Seconds; the first wait is a random part of it. A ``Refused`` error's own advice
            (``retry_after``) is waited for besides.
        backoff: By how much the delay grows each time.
        on: The errors that are worth it, by name; ``Exception`` is not a name.
        when: Looks closer at such an error, at an HTTP status perhaps.
        max_delay: Seconds that the delay grows to.
        deadline: Seconds for everything; the attempt under way is ended by it.
        budget: Shared with everybody who calls the same dependency.
        observe: Told of every attempt.
        sleep: Waits.
        jitter: A random number from 0 to 1.
        clock: Monotonic seconds.

    Raises:
        ValueError: An argument makes no sense; at once, not at the first call.
        TypeError: ``on`` names no errors, or too many; what is decorated is no coroutine function.

    The decorated function raises what the last attempt raised, or ``TimeoutError`` when the
    deadline ended it.

    Cancellation: is never tried again; it ends the attempt or the waiting.
    """
    _check(max_attempts, delay, backoff, max_delay, deadline)
    errors = _named(on)
    policy = _Policy(
        max_attempts, delay, backoff, max_delay, deadline, errors, when, budget, jitter
    )

    def decorate(
        function: Callable[P, Coroutine[Any, Any, R]],
    ) -> Callable[P, Coroutine[Any, Any, R]]:
        if not inspect.iscoroutinefunction(function):
            raise TypeError(f"{function!r} is no coroutine function")

        @functools.wraps(function)
        async def retried(*args: P.args, **kwargs: P.kwargs) -> R:
            run = _Run(policy, observe, clock)
            return await run(sleep, lambda: function(*args, **kwargs))

        return retried

    return decorate


@dataclass(frozen=True)
class _Policy:
    """What was decided once, at the decoration."""

    max_attempts: int
    delay: float
    backoff: float
    max_delay: float
    deadline: float
    errors: tuple[type[Exception], ...]
    when: Callable[[Exception], bool] | None
    budget: RetryBudget | None
    jitter: Callable[[], float]

    def is_worth_it(self, error: BaseException) -> bool:
        """Return whether an error may pass by itself."""
        return isinstance(error, self.errors) and (self.when is None or self.when(error))

    def wait(self, number: int, error: BaseException | None) -> float:
        """Return how long to wait after attempt ``number``, which raised ``error``."""
        # Its exponent is bounded because a float is.
        grown = min(self.max_delay, self.delay * self.backoff ** min(number - 1, 64))
        advice = error.retry_after if isinstance(error, Refused) else 0.0
        return advice + grown * self.jitter()


class _Run:
    """One call, with all its attempts."""

    def __init__(
        self,
        policy: _Policy,
        observe: Callable[[Attempt], object] | None,
        clock: Callable[[], float],
    ) -> None:
        self._policy = policy
        self._observe = observe
        self._clock = clock
        self._end = clock() + policy.deadline
        self._number = 0
        self._last: Outcome = "failed"

    async def __call__(
        self, sleep: Callable[[float], Awaitable[None]], attempt: Callable[[], Awaitable[R]]
    ) -> R:
        """Return what the first attempt that succeeds returns."""
        if self._policy.budget is not None:
            self._policy.budget.call()
        retrying = tenacity.AsyncRetrying(
            sleep=sleep,
            retry=tenacity.retry_if_exception(self._policy.is_worth_it),
            wait=self._wait,
            stop=self._stop,
            before_sleep=self._before_sleep,
            reraise=True,
        )
        async with asyncio.timeout(self._policy.deadline) as deadline:
            result: R = await retrying(self._counted, attempt, deadline)
        return result

    async def _counted(self, attempt: Callable[[], Awaitable[R]], deadline: asyncio.Timeout) -> R:
        """Make one attempt, and tell of it unless its outcome is decided by :meth:`_stop`."""
        self._number += 1
        try:
            result = await attempt()
        except asyncio.CancelledError:
            self._tell("late" if deadline.expired() else "cancelled")
            raise
        except BaseException as error:
            if not self._policy.is_worth_it(error):
                self._tell("failed")
            raise
        self._tell("succeeded")
        return result

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return self._policy.wait(self._number, error)

    def _stop(self, state: tenacity.RetryCallState) -> bool:
        """Decide whether that was all; the budget is asked last, because asking is spending."""
        budget = self._policy.budget
        if self._number >= self._policy.max_attempts:
            self._tell("exhausted")
        elif self._clock() + state.upcoming_sleep >= self._end:
            self._tell("late")
        elif budget is not None and not budget.withdraw():
            self._tell("no_budget")
        else:
            return False
        return True

    def _before_sleep(self, state: tenacity.RetryCallState) -> None:
        self._tell("retried", state.upcoming_sleep)

    def _tell(self, outcome: Outcome, wait: float = 0.0) -> None:
        if self._observe is not None:
            self._observe(Attempt(self._number, outcome, wait))


def _check(
    max_attempts: int, delay: float, backoff: float, max_delay: float, deadline: float
) -> None:
    if max_attempts < 1:
        raise ValueError(f"max_attempts is at least 1, not {max_attempts}")
    if delay < 0 or max_delay < delay:
        raise ValueError("delay is not negative, and max_delay no less")
    if backoff < 1:
        raise ValueError(f"backoff is at least 1, not {backoff}")
    if deadline <= 0:
        raise ValueError(f"deadline is more than 0, not {deadline}")


def _named(on: object) -> tuple[type[Exception], ...]:
    """Return the errors; ``on`` is whatever a caller without a type checker gives."""
    errors = on if isinstance(on, tuple) else (on,)
    if not errors:
        raise TypeError("on names no error: nothing would be tried again")
    for error in errors:
        if not isinstance(error, type) or not issubclass(error, BaseException):
            raise TypeError(f"on takes errors, not {error!r}")
        if error in _EVERYTHING or issubclass(error, _NEVER):
            raise TypeError(f"{error.__name__} is not worth trying again: name the errors")
    return errors
