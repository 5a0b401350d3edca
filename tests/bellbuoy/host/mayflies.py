"""Workers that were never forked, and an arbiter to bury them."""

import signal
import time

from gunicorn.app.base import BaseApplication
from gunicorn.workers.workertmp import WorkerTmp

from bellbuoy.host.arbiter import Arbiter, assign_slot
from bellbuoy.host.gunicornlog import Logger
from bellbuoy.host.worker import Worker


class Application(BaseApplication):
    """As much of gunicorn's configuration as an arbiter needs."""

    def load_config(self) -> None:
        """Three workers, our log."""
        self.cfg.set("workers", 3)
        self.cfg.set("logger_class", Logger)


class Mayfly(Worker):
    """A worker that was forked and is dead."""

    def __init__(self, pid: int) -> None:
        """Have a process id."""
        self.pid: int = pid  # type: ignore[assignment]  # gunicorn: a text until the fork
        self.aborted = False
        self.tmp = Heart()


class Heart(WorkerTmp):
    """gunicorn's heartbeat, without its file."""

    def __init__(self) -> None:
        """Open nothing."""

    def close(self) -> None:
        """Close nothing."""


def born(arbiter: Arbiter, pid: int, lived: float = 100.0) -> Mayfly:
    """Return a worker that was forked ``lived`` seconds ago."""
    worker = Mayfly(pid)
    assign_slot(arbiter, worker)
    worker.slot.pid = pid
    worker.slot.born = time.time() - lived
    arbiter.WORKERS[pid] = worker
    return worker


class Children:
    """The kernel's side of a stop: who is signalled, and who dies of it.

    Attributes:
        told: Each process id and the name of the signal, in order.
    """

    def __init__(self, deadly: signal.Signals) -> None:
        """Die of ``deadly`` and of SIGKILL."""
        self.told: list[tuple[int, str]] = []
        self._deadly = deadly
        self._dead: list[tuple[int, int]] = []

    def kill(self, pid: int, number: int) -> None:
        """Signal a process."""
        self.told.append((pid, signal.Signals(number).name))
        if number in {self._deadly, signal.SIGKILL}:
            self._dead.append((pid, 0))

    def reap(self) -> list[tuple[int, int]]:
        """Return who died since the last call."""
        dead, self._dead = self._dead, []
        return dead
