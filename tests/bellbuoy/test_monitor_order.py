"""Whatever happens in whatever order, what AsyncMonitor counted adds up."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bellbuoy.monitor import AsyncMonitor, Span
from tests.bellbuoy.monitoring import OUTCOMES, counts, pause

ENDINGS = {"failed": OSError, "cancelled": asyncio.CancelledError, "timed_out": TimeoutError}


class Run:
    """One piece of work, driven by hand: a decorated call or a span."""

    def __init__(self, monitor: AsyncMonitor, name: str, kind: str) -> None:
        """Start it; it waits until it is told how to end."""
        self.name = name
        self._coroutine: Coroutine[Any, Any, None]
        if kind == "call":
            self._coroutine = monitor.track_task(name)(pause)()
        else:
            self._coroutine = self._within(monitor.span(name))
        self._coroutine.send(None)

    @staticmethod
    async def _within(span: Span) -> None:
        with span:
            await pause()

    def end(self, outcome: str) -> None:
        """End it as ``outcome`` says."""
        if outcome == "closed":
            self._coroutine.close()
        elif outcome == "completed":
            with pytest.raises(StopIteration):
                self._coroutine.send(None)
        else:
            with pytest.raises(ENDINGS[outcome]):
                self._coroutine.throw(ENDINGS[outcome])


STARTS = st.tuples(st.sampled_from("abc"), st.sampled_from(["call", "span"]))
ENDS = st.tuples(st.integers(0, 20), st.sampled_from([*OUTCOMES[1:], "closed"]))


@pytest.mark.slow
@given(st.lists(STARTS | ENDS, max_size=40))
@settings(max_examples=100)
def test_whatever_happens_in_whatever_order_adds_up(
    steps: list[tuple[str, str] | tuple[int, str]],
) -> None:
    """For each name and in total, after every step: started is running plus all that ended."""
    monitor, running = AsyncMonitor(), list[Run]()
    model: dict[str, Counter[str]] = {}
    for what, how in steps:
        if isinstance(what, str):
            running.append(Run(monitor, what, how))
            model.setdefault(what, Counter())["running"] += 1
        elif running:
            run = running.pop(what % len(running))
            run.end(how)
            model[run.name]["running"] -= 1
            model[run.name]["cancelled" if how == "closed" else how] += 1
        tasks = monitor.get_stats().tasks
        assert {name: counts(stats) for name, stats in tasks.items()} == {
            name: tuple(model[name][outcome] for outcome in OUTCOMES) for name in model
        }
    for run in running:
        run.end("closed")
    total = monitor.get_stats().tasks.values()
    assert sum(stats.running for stats in total) == 0
