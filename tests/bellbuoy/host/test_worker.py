"""The worker's own decisions; its life as a process is in tests/integration."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from types import FrameType

import pytest
from structlog.testing import capture_logs

from bellbuoy import timeouts
from bellbuoy.host import worker as module
from bellbuoy.host.worker import ABORTED, Worker
from bellbuoy.lifecycle import State
from bellbuoy.scoreboard import Scoreboard
from tests.bellbuoy.host.plans import planned
from tests.bellbuoy.host.services import Recorder
from tests.waiting import soon


@pytest.fixture
def worker() -> Iterator[Worker]:
    """A worker with a slot, in no process of its own."""
    with planned() as plan:
        worker: Worker = object.__new__(Worker)
        worker.plan = plan
        worker.slot = plan.board.workers[0]
        yield worker


async def until(worker: Worker, state: State) -> None:
    """Wait until the world sees the worker in ``state``."""
    await soon(lambda: worker.slot.state is state)


class Hesitant(Recorder):
    """A server that is ready when the test says so.

    Attributes:
        may_be_ready: Set it.
    """

    def __init__(self) -> None:
        """Be not ready."""
        super().__init__()
        self.may_be_ready = asyncio.Event()

    async def ready(self) -> None:
        """Wait."""
        await self.may_be_ready.wait()


async def test_a_worker_is_ready_when_its_server_is(worker: Worker) -> None:
    """It is open before, and stays until it is told to stop."""
    worker.slot.take(admin=False)
    board, server, stop = worker.plan.board, Hesitant(), asyncio.Event()
    staying = asyncio.ensure_future(worker._stay(server, stop))
    await asyncio.sleep(0)
    assert (worker.slot.state, board.was_open, board.was_ready) == (State.STARTING, 1, 0)
    server.may_be_ready.set()
    await until(worker, State.READY)
    assert board.was_ready == 1
    stop.set()
    await staying


async def test_readiness_is_latched(worker: Worker) -> None:
    """A replacement is not asked again: a database outage must not keep it out."""
    worker.slot.take(admin=False)
    worker.plan.board.was_ready = 1.0
    server, stop = Hesitant(), asyncio.Event()
    staying = asyncio.ensure_future(worker._stay(server, stop))
    await until(worker, State.READY)
    assert not server.may_be_ready.is_set()
    stop.set()
    await staying


async def test_a_worker_that_never_got_ready_stops_when_told(worker: Worker) -> None:
    """And never shows itself as ready."""
    worker.slot.take(admin=False)
    stop = asyncio.Event()
    stop.set()
    await worker._stay(Hesitant(), stop)
    assert worker.slot.state is State.STARTING


async def test_the_admin_process_stays_until_traffic_has_stopped(worker: Worker) -> None:
    """Probes are answered until then; it opens and readies nothing for the others."""
    board = worker.plan.board
    board.supervisor = os.getppid()
    worker.slot.take(admin=True)
    traffic = board.workers[1]
    traffic.take(admin=False)
    traffic.step(State.DRAINING)
    stop = asyncio.Event()
    stop.set()
    staying = asyncio.ensure_future(worker._stay(Recorder(), stop))
    done, _ = await asyncio.wait({staying}, timeout=0.1)
    assert done == set()
    traffic.step(State.STOPPED)
    await asyncio.wait_for(staying, 10)
    assert (board.was_open, board.was_ready) == (0, 0)


async def test_an_orphaned_admin_process_waits_for_nobody() -> None:
    """A worker that was killed with the supervisor keeps its slot for ever."""
    board = Scoreboard((), 3)
    board.workers[1].take(admin=False)
    board.supervisor = os.getppid() + 1
    waiting = asyncio.ensure_future(module._traffic_stopped(board))
    done, _ = await asyncio.wait({waiting}, timeout=10)
    assert done == {waiting}
    assert board.workers[1].carries_traffic, "the slot of the dead"


async def test_resources_are_closed_in_reverse() -> None:
    """As they were opened one upon the other."""
    closed: list[int] = []
    resources = AsyncExitStack()
    for number in range(3):
        resources.callback(closed.append, number)
    assert await module._close(resources)
    assert closed == [2, 1, 0]


async def test_resources_that_do_not_close_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel closes what is left of them."""
    monkeypatch.setattr(timeouts, "CLOSE", 0.01)
    resources = AsyncExitStack()
    resources.push_async_callback(asyncio.Event().wait)
    with capture_logs() as events:
        assert not await module._close(resources)
    assert [event["event"] for event in events] == ["resources did not close"]


def test_tasks_that_are_left_are_cancelled() -> None:
    """Nobody waits for them; in a loop of its own, because the test's runner is a task, too."""

    async def leave() -> tuple[bool, bool]:
        task = asyncio.ensure_future(asyncio.Event().wait())
        await asyncio.sleep(0)
        return await module._end_tasks(), task.cancelled()

    assert asyncio.run(leave()) == (True, True)


def test_a_task_that_swallows_its_cancellation_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process must leave without it."""
    monkeypatch.setattr(timeouts, "HURRY", 0.01)

    async def stay(over: asyncio.Event) -> None:
        while not over.is_set():
            with suppress(asyncio.CancelledError):
                await over.wait()

    async def leave() -> bool:
        over = asyncio.Event()
        task = asyncio.ensure_future(stay(over))
        await asyncio.sleep(0)
        ended = await module._end_tasks()
        over.set()
        await task
        return ended

    assert asyncio.run(leave()) is False


def test_an_abort_leaves_even_when_it_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have interrupted the log in the middle of a line."""
    left: list[int] = []

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("reentrant call")

    monkeypatch.setattr(os, "_exit", left.append)
    monkeypatch.setattr(module, "_log", type("Log", (), {"critical": fail})())
    frame: FrameType | None = None
    with pytest.raises(RuntimeError):
        module._abort(6, frame)
    assert left == [ABORTED]
