"""Work that a monitor counts, in each way there is to have it counted, and ended on demand."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from bellbuoy.monitor import AsyncMonitor
from tests.bellbuoy.monitoring import pause

End = Callable[[type[BaseException] | None], object]
"""Ends a piece of work: by this error, or well."""


def spanned(monitor: AsyncMonitor, name: str, _: asyncio.AbstractEventLoop) -> End:
    """Begin a span."""
    span = monitor.span(name)
    span.__enter__()
    return lambda kind: span.__exit__(kind, kind() if kind else None, None)


def decorated(monitor: AsyncMonitor, name: str, _: asyncio.AbstractEventLoop) -> End:
    """Begin a decorated call, driven by hand."""

    @monitor.track_task(name)
    async def work() -> None:
        await pause()

    call = work()
    call.send(None)

    def end(kind: type[BaseException] | None) -> None:
        with suppress(StopIteration, kind or StopIteration):
            call.throw(kind()) if kind else call.send(None)

    return end


class Job:
    """Work of a task: it waits until it is told how to end."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait for nothing yet."""
        self.loop = loop
        self.told = loop.create_future()
        self.deadline: asyncio.Timeout | None = None
        self.task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Wait."""
        async with asyncio.timeout(None) as self.deadline:
            await self.told

    def end(self, kind: type[BaseException] | None) -> None:
        """Have it end; a cancelled one may not even have begun."""
        assert self.task
        if kind is asyncio.CancelledError:
            self.task.cancel()
        elif kind is TimeoutError:
            self._turn()
            assert self.deadline
            self.loop.call_soon(self.deadline.reschedule, 0.0)  # long ago
        elif kind:
            self.told.set_exception(kind())
        else:
            self.told.set_result(None)
        while not self.task.done():
            self._turn()
        self._turn()  # what is to be done when it is done
        if not self.task.cancelled():
            self.task.exception()  # retrieved

    def _turn(self) -> None:
        self.loop.run_until_complete(asyncio.sleep(0))


def created(monitor: AsyncMonitor, name: str, loop: asyncio.AbstractEventLoop) -> End:
    """Begin a task of the monitor's."""
    job = Job(loop)

    async def create() -> None:
        job.task = monitor.create_task(job.run(), name=name)

    loop.run_until_complete(create())
    return job.end


def manufactured(monitor: AsyncMonitor, name: str, loop: asyncio.AbstractEventLoop) -> End:
    """Begin a task that the factory makes."""
    job = Job(loop)
    coroutine = job.run()
    coroutine.__qualname__ = name  # type: ignore[attr-defined]  # a coroutine has one
    loop.set_task_factory(monitor.task_factory)
    job.task = loop.create_task(coroutine)
    loop.set_task_factory(None)
    return job.end


KINDS = (spanned, decorated, created, manufactured)
