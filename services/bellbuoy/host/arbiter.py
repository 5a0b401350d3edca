"""The supervisor: forks workers, replaces those that die, and stops them in order.

Law of this file: nothing a worker does stops the others. A worker that cannot boot is tried
again with a pause, unless none has ever served; a signal that gunicorn would turn into a
reload is refused, because settings come from the environment and replacement is the
orchestrator's.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import gunicorn.arbiter
import structlog
from gunicorn.errors import HaltServer

from bellbuoy import timeouts
from bellbuoy.host.families import DEATHS
from bellbuoy.host.listeners import address
from bellbuoy.host.loglevel import LogLevel
from bellbuoy.host.plan import Plan
from bellbuoy.host.respawn import Respawn
from bellbuoy.host.socketfile import SocketFile
from bellbuoy.host.vitals import show_collector
from bellbuoy.host.worker import BOOT_ERROR, HELD_SIGNALS, Worker
from bellbuoy.lifecycle import State
from bellbuoy.taskmetrics import settle

BOOT_ATTEMPTS = 5
"""Deaths while booting after which a service that never served gives up."""

REPEAT = 1.0
"""Seconds within which a second signal is the first one again: a terminal and a wrapper such as
timeout(1) both deliver to the whole process group."""

STOPS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT})
"""What ends a service; a window that changes its size while one drains hurries nothing."""

_TICK = 0.05

_log = structlog.get_logger("bellbuoy.host.supervisor")


def _refuse(name: str) -> Callable[["Arbiter"], None]:
    def handle(_: "Arbiter") -> None:
        _log.warning("signal refused", signal=name, reason="settings are read once, at the start")

    return handle


class Arbiter(gunicorn.arbiter.Arbiter):
    """gunicorn's arbiter with the life and death that a production service needs."""

    handle_hup = _refuse("HUP")
    handle_usr1 = _refuse("USR1")
    handle_usr2 = _refuse("USR2")
    handle_ttin = _refuse("TTIN")
    handle_ttou = _refuse("TTOU")
    handle_winch = _refuse("WINCH")

    def __init__(self, application: Any, plan: Plan) -> None:
        """Run ``plan``; nothing is forked yet."""
        super().__init__(application)
        self.plan = plan
        self.LISTENERS = [plan.listener, plan.admin_listener]  # type: ignore[misc, list-item]  # plain sockets will do
        self._socket_files = [SocketFile.of(plan.listener), SocketFile.of(plan.admin_listener)]
        self._respawn = Respawn()
        self._instruments = plan.board.own.instruments()
        self._level = LogLevel(plan.board.commands, plan.settings.log_level)
        plan.board.supervisor = os.getpid()

    def handle_term(self) -> None:
        """Stop in order; INT and QUIT mean the same."""
        raise StopIteration

    handle_int = handle_quit = handle_term

    def manage_workers(self) -> None:
        """Show a sign of life and fork what is missing."""
        self._beat()
        while len(self.WORKERS) < self.num_workers and self._respawn.may_spawn(time.monotonic()):
            if not self.spawn_worker():
                break

    def spawn_worker(self) -> int:
        """Fork one worker; return its pid, or 0 when the machine cannot fork now."""
        with _signals_held():
            try:
                pid: int = super().spawn_worker()
            except OSError as error:
                _log.warning("cannot fork", error=str(error))
                self._give_back_unforked()
                self._respawn.died(0.0, time.monotonic())
                return 0
        cast(Worker, self.WORKERS[pid]).slot.pid = pid
        return pid

    def reap_workers(self) -> None:
        """Collect every dead child, free its slot, and count what it left unfinished."""
        for pid, status in _dead_children():
            # Orphans that the kernel gave to PID 1 are collected too, and are nobody's worker.
            worker = self.WORKERS.pop(pid, None)
            if worker is not None:
                self._bury(cast(Worker, worker), os.waitstatus_to_exitcode(status))

    def stop(self, graceful: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002 - gunicorn's
        """Tell the workers to drain, wait for them, kill what is left; a second signal hurries."""
        board = self.plan.board
        board.stopping = 1.0
        # Our copies: the queue lives on in the workers until they have swept it.
        self.plan.listener.close()
        self.plan.admin_listener.close()
        began = time.monotonic()
        deadline = began + self.plan.stop_timeout
        self.kill_workers(signal.SIGTERM)
        hurried = False
        while self.WORKERS and time.monotonic() < deadline:
            told_again = STOPS.intersection(self.wait_for_signals(timeout=_TICK))
            if told_again and not hurried and time.monotonic() - began >= REPEAT:
                hurried = True
                _log.warning("hurrying")
                self.kill_workers(signal.SIGQUIT)
                deadline = min(deadline, time.monotonic() + 2 * timeouts.HURRY + timeouts.CLOSE)
            self.murder_workers()
            self.reap_workers()
            self._beat()
        for pid in self.WORKERS:
            _log.error("worker killed", pid=pid, reason="it did not stop in time")
        self.kill_workers(signal.SIGKILL)
        self._reap_killed()
        for file in self._socket_files:
            if file is not None:
                file.remove()

    def _bury(self, worker: Worker, code: int) -> None:
        worker.tmp.close()
        slot = worker.slot
        told = slot.state is State.STOPPED or (self.plan.board.stopping and code == 0)
        # Until one has served, whoever dies has died while booting, however slow the machine is.
        lived = time.time() - slot.born if self.plan.board.was_open else 0.0
        cells = slot.load()
        settle(self.plan.board.layout, cells)
        slot.free(cells)
        if told:
            return
        how = "watchdog" if worker.aborted else "signal" if code < 0 else "exit"
        self._instruments.counter(DEATHS, how=how).inc()
        _log.error("worker died", pid=worker.pid, slot=slot.index, how=how, code=code)
        self._respawn.died(lived, time.monotonic())
        hopeless = self._respawn.young_deaths >= BOOT_ATTEMPTS and not self.plan.board.was_open
        # Once it stops, it must go on to stop the others.
        if hopeless and not self.plan.board.stopping:
            raise HaltServer("no worker could boot", BOOT_ERROR)

    def _give_back_unforked(self) -> None:
        for slot in self.plan.board.workers:
            if slot.state is State.STARTING and not slot.pid:
                slot.free(slot.load())

    def _reap_killed(self) -> None:
        deadline = time.monotonic() + timeouts.HURRY
        while self.WORKERS and time.monotonic() < deadline:
            self.reap_workers()
            time.sleep(_TICK)

    def _beat(self) -> None:
        self.plan.board.beat = time.monotonic()
        self._level.follow()
        show_collector(self.plan.board.own)
        self._instruments.flush()


def assign_slot(arbiter: Arbiter, worker: Worker) -> None:
    """Give a worker the lowest free slot, and the admin role when nobody living has it.

    gunicorn's ``pre_fork`` hook.
    """
    slots = arbiter.plan.board.workers
    slot = next(slot for slot in slots if slot.state is State.FREE)
    slot.take(admin=not any(other.admin for other in slots))
    worker.plan = arbiter.plan
    worker.slot = slot


def announce(arbiter: Arbiter) -> None:
    """Say where the service listens, now that signals are understood.

    gunicorn's ``when_ready`` hook.
    """
    plan = arbiter.plan
    _log.info(
        "listening",
        address=address(plan.listener),
        admin=address(plan.admin_listener),
        workers=arbiter.num_workers - 1,
        loop=plan.settings.loop,
    )


@contextmanager
def _signals_held() -> Iterator[None]:
    """Hold signals back around a fork; the child lets them through once it listens."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, HELD_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _dead_children() -> Iterator[tuple[int, int]]:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        yield pid, status
