"""The worker: one process on the host, with a role, a loop and a slot.

It is gunicorn's worker in name and signals only: the loop, the listeners, the heartbeat and the
drain are the host's own, the same for every service and for the admin port.
"""

import asyncio
import gc
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import AsyncExitStack
from types import FrameType
from typing import TYPE_CHECKING, Any

import gunicorn.workers.base
import structlog

from bellbuoy import logs, timeouts
from bellbuoy.host.acceptor import Acceptor, Caps, connection_cap
from bellbuoy.host.blockage import Blockage
from bellbuoy.host.drain import drain
from bellbuoy.host.loglevel import LogLevel
from bellbuoy.host.loop import loop_factory
from bellbuoy.host.pulse import CALM, INTERVAL, Pulse
from bellbuoy.host.service import Server, Service
from bellbuoy.host.service import Worker as Share
from bellbuoy.host.vitals import Unhandled, Vitals
from bellbuoy.instruments import Instruments
from bellbuoy.lifecycle import State
from bellbuoy.monitor import AsyncMonitor
from bellbuoy.scoreboard import Scoreboard, Slot
from bellbuoy.taskmetrics import TaskExport

if TYPE_CHECKING:
    from bellbuoy.host.plan import Plan

HELD_SIGNALS = frozenset({signal.SIGTERM, signal.SIGQUIT, signal.SIGINT, signal.SIGCHLD})
"""Blocked from before the fork until the worker listens to them: none may get lost between."""

COLLECTION = (20_000, 20, 20)
"""Objects more than before at which Python looks for rings among the young ones, and how often
among older ones. Requests in flight are no garbage, and at Python's 700 a few dozens of them have
all objects of a worker looked through again and again."""

BOOT_ERROR = 3
ABORTED = 134
"""Exit codes; the second is what a shell shows for SIGABRT."""

_log = structlog.get_logger("bellbuoy.host.worker")


class Worker(gunicorn.workers.base.Worker):
    """Runs a service, or the admin port, in one forked process.

    Attributes:
        plan: What the supervisor runs.
        slot: This process's place on the scoreboard; given before the fork.
    """

    plan: "Plan"
    slot: Slot

    def init_process(self) -> None:
        """Become a worker: called by gunicorn in the child, never returns normally twice."""
        self.slot.pid = os.getpid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGABRT, _abort)
        logs.configure(
            self.plan.settings.log_level, service=self.plan.service.name, worker=self.slot.index
        )
        # What the supervisor left is here to stay: nobody need look at it, nor copy its pages.
        gc.freeze()
        gc.set_threshold(*COLLECTION)
        self.booted = True
        with asyncio.Runner(loop_factory=loop_factory(self.plan.settings.loop)) as runner:
            code = runner.run(self._live())
        for number in (signal.SIGTERM, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)
        sys.exit(code)

    async def _live(self) -> int:
        stop, hurry = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        loop.add_signal_handler(signal.SIGQUIT, hurry.set)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_SIGNALS)
        instruments, monitor = self._instruments(), AsyncMonitor()
        TaskExport(monitor, instruments)
        loop.set_exception_handler(Unhandled(instruments))

        def orphaned() -> None:
            stop.set()
            hurry.set()

        pulse = self._pulse(instruments, monitor, orphaned)
        try:
            with Blockage(lambda: pulse.due, self.plan.settings.loop_blocked_seconds):
                clean = await self._serve(Share(instruments, monitor), stop, hurry)
        except Exception:  # noqa: BLE001 - the exit code and the log are all that is left to do
            _log.exception("worker failed")
            return BOOT_ERROR
        finally:
            pulse.stop()
            # The loop gives its signals back to the system when it closes; none may kill it now.
            signal.pthread_sigmask(signal.SIG_BLOCK, HELD_SIGNALS)
        # Only now: who sees this state may read the last numbers.
        self.slot.step(State.STOPPED)
        _log.info("stopped", pid=os.getpid(), clean=clean)
        if not await _end_tasks():
            _log.warning("left without tasks that swallowed their cancellation")
            os._exit(0)  # the loop would wait for them as it closes
        return 0

    def _pulse(
        self, instruments: Instruments, monitor: AsyncMonitor, orphaned: Callable[[], None]
    ) -> Pulse:
        board, settings = self.plan.board, self.plan.settings
        instruments.before_flush(LogLevel(board.commands, settings.log_level).follow)
        return Pulse(
            Vitals(self.slot, instruments, settings.loop_blocked_seconds),
            instruments,
            monitor,
            int(board.supervisor),
            self.notify,
            orphaned,
            CALM if self.slot.admin else INTERVAL,
        )

    def _instruments(self) -> Instruments:
        # The admin process carries no traffic: what it counts is nobody's business.
        return Instruments(self.plan.board.layout) if self.slot.admin else self.slot.instruments()

    async def _serve(self, share: Share, stop: asyncio.Event, hurry: asyncio.Event) -> bool:
        """Serve until told to stop; return whether everything in flight was finished."""
        service, listener = self._role()
        resources = AsyncExitStack()
        server = await resources.enter_async_context(service.open(share))
        try:
            acceptor = self._acceptor(listener, server, share)
            acceptor.start()
            _log.info("serving", pid=os.getpid(), admin=bool(self.slot.admin))
            await self._stay(server, stop)
            settings = self.plan.settings
            clean = await drain(
                server,
                acceptor,
                self.slot,
                hurry,
                delay=0.0 if self.slot.admin else settings.drain_delay_seconds,
                most=settings.drain_timeout_seconds + timeouts.GRACE,
            )
        finally:
            closed = await _close(resources)
        return clean and closed

    def _role(self) -> tuple[Service, socket.socket]:
        """Return what this process serves and where, closing what it does not serve."""
        plan = self.plan
        if self.slot.admin:
            plan.listener.close()
            return plan.admin, plan.admin_listener
        plan.admin_listener.close()
        return plan.service, plan.listener

    def _acceptor(self, listener: socket.socket, server: Server, share: Share) -> Acceptor:
        board, settings = self.plan.board, self.plan.settings
        # Probes may all come from one address.
        per_peer = 0 if self.slot.admin else settings.max_connections_per_peer
        return Acceptor(
            listener,
            server,
            self.slot,
            () if self.slot.admin else board.workers,
            share.instruments,
            Caps(connection_cap(settings.max_connections), per_peer),
        )

    async def _stay(self, server: Server, stop: asyncio.Event) -> None:
        """Become ready, and stay until told to stop."""
        board = self.plan.board
        if not self.slot.admin:
            board.was_open = 1.0
        ready = asyncio.ensure_future(_become_ready(server, latched=bool(board.was_ready)))
        stopped = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({ready, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if ready.done() and not stop.is_set():
                ready.result()
                self.slot.step(State.READY)
                if not self.slot.admin:
                    board.was_ready = 1.0
                await stopped
            if self.slot.admin:
                await _traffic_stopped(board)
        finally:
            ready.cancel()
            stopped.cancel()
            await asyncio.gather(ready, stopped, return_exceptions=True)


async def _become_ready(server: Server, *, latched: bool) -> None:
    if not latched:
        await server.ready()


async def _traffic_stopped(board: Scoreboard) -> None:
    """Return when no traffic worker serves: probes are answered until then.

    A supervisor that was killed frees the slot of no worker that was killed with it.
    """
    # Another process's memory has no event to wait for.
    while os.getppid() == board.supervisor and any(  # noqa: ASYNC110
        slot.carries_traffic for slot in board.workers
    ):
        await asyncio.sleep(0.05)


async def _end_tasks() -> bool:
    """Cancel what still runs; return whether it ended in time."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:
        _, left = await asyncio.wait(left, timeout=timeouts.HURRY)
    return not left


async def _close(resources: AsyncExitStack) -> bool:
    """Close a worker's resources, in the reverse order of their opening; bounded."""
    try:
        async with asyncio.timeout(timeouts.CLOSE):
            await resources.aclose()
    except TimeoutError:
        _log.warning("resources did not close", seconds=timeouts.CLOSE)
        return False
    return True


def _abort(_: int, frame: FrameType | None) -> Any:
    """Say where the loop is blocked, and die: the watchdog's first word.

    A plain signal handler, because a loop that is blocked runs no other.
    """
    try:
        _log.critical("worker blocked", stack="".join(traceback.format_stack(frame)))
    finally:  # it may have interrupted the very logging
        os._exit(ABORTED)
