"""A part of the stack: one supervised child process, started again when it dies."""

import signal
import subprocess
import time
from collections.abc import Callable, Sequence

import structlog

from bellbuoy.errors import EnvironmentFault
from bellbuoy.startup import MISCONFIGURED
from onebox.escalation import Escalation, Step
from onebox.leftovers import Leftovers
from onebox.process import kill_session
from onebox.restarts import Restarts


class Part:
    """A child process that is meant to be there.

    Args:
        name: For messages.
        launch: Starts it and returns at once.
        steps: How it is ended.
        explain: What there is to say when it keeps dying.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        name: str,
        launch: Callable[[], subprocess.Popen[bytes]],
        steps: Sequence[Step],
        *,
        explain: Callable[[], str] = lambda: "Its messages are above.",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Not started yet."""
        self.name = name
        self._launch = launch
        self._steps = steps
        self._explain = explain
        self._clock = clock
        self._log = structlog.get_logger().bind(part=name)
        self._process: subprocess.Popen[bytes] | None = None
        self._leftovers: Leftovers | None = None
        self._fault: EnvironmentFault | None = None
        self._start_at = 0.0
        self._started = 0.0
        self._restarts = Restarts()

    def tick(self) -> None:
        """Start it if it is due; notice if it died.

        Raises:
            EnvironmentFault: It keeps dying, refuses its settings, or cannot be started at all.
        """
        now = self._clock()
        if self._process is not None and self._process.poll() is not None:
            status = self._process.returncode
            self._bury(self._process, now)
            self._died(status, now)
        if self._process is not None or not self._is_cleared(now):
            return
        if self._fault is not None:
            raise self._fault
        if now >= self._start_at:
            self._start(now)

    def escalation(self, presses: int) -> Escalation:
        """Return the way out for this part, beginning now."""
        return Escalation(self._steps, self._clock(), presses)

    def has_ended(self) -> bool:
        """Return whether no process is left; it is not started again unless :meth:`tick` is."""
        now = self._clock()
        if self._process is not None:
            if self._process.poll() is None:
                return False
            self._bury(self._process, now)
        return self._is_cleared(now)

    def pursue(self, escalation: Escalation, presses: int) -> None:
        """Send what is due."""
        number = escalation.due(self._clock(), presses)
        if number is None or self._process is None:
            return
        if number == signal.SIGKILL:
            self._log.warning("part killed", pid=self._process.pid)
            kill_session(self._process)
        else:
            self._process.send_signal(number)

    def _start(self, now: float) -> None:
        self._process = self._launch()
        self._started = now
        self._log.debug("part started", pid=self._process.pid)

    def _bury(self, process: subprocess.Popen[bytes], now: float) -> None:
        """Let go of the dead leader, and look for what it left in its session."""
        self._process = None
        self._leftovers = Leftovers(process.pid, now)

    def _is_cleared(self, now: float) -> bool:
        if self._leftovers is not None and self._leftovers.are_gone(now):
            self._leftovers = None
        return self._leftovers is None

    def _died(self, status: int, now: float) -> None:
        if status == MISCONFIGURED:
            self._fault = EnvironmentFault(f"{self.name} refuses its settings. {self._explain()}")
            return
        delay = self._restarts.after(now - self._started)
        if delay is None:
            self._fault = EnvironmentFault(
                f"{self.name} died {self._restarts.deaths} times in a row, the last time with "
                f"{_ending(status)}. {self._explain()}"
            )
            return
        self._log.warning("part died", ending=_ending(status), restart_in_seconds=delay)
        self._start_at = now + delay


def _ending(status: int) -> str:
    return f"exit status {status}" if status >= 0 else signal.Signals(-status).name
