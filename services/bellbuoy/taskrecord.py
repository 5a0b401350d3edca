"""What is known of one task name: a table of what runs and counts of what ended.

Law of this file: no loop, no clock, no I/O. Times are nanoseconds of ``time.monotonic_ns``.
"""

from dataclasses import dataclass, field
from typing import Literal

Outcome = Literal["completed", "failed", "cancelled", "timed_out", "lost"]

SHORT, LONG = 16, 36
"""Bit lengths of the shortest and the longest duration, in nanoseconds, that are told apart."""

BUCKETS = tuple((1 << bits) / 1e9 for bits in range(SHORT, LONG + 1))
"""Upper edges of the duration histogram, in seconds: 65.5 µs, 131 µs, … 68.7 s."""

_BITS = 64


@dataclass(frozen=True)
class LastError:
    """The newest failure of a task name; shown in ``/tasks``, never a label.

    Args:
        type: The exception's class name.
        message: Its first 200 characters.
        at: Unix time in seconds.
    """

    type: str
    message: str
    at: float


@dataclass(frozen=True)
class TaskStats:
    """One task name at one moment, in this process.

    ``started == running + completed + failed + cancelled + timed_out`` always holds. Work that
    a killed process left behind is counted as lost by the supervisor, on the scoreboard.

    Args:
        name: The task name.
        started: Calls that began.
        running: Calls that have not ended.
        completed: Calls that returned.
        failed: Calls that raised.
        cancelled: Calls that were cancelled, or closed unfinished.
        timed_out: Calls that raised ``TimeoutError``.
        seconds: Summed duration of all calls that ended.
        buckets: How many of them fell into each of :data:`BUCKETS`, and above.
        last_start: Unix time in seconds of the newest start, 0.0 for never.
        oldest_start: Unix time in seconds of the start of what runs longest, 0.0 if nothing runs.
        last_success: Unix time in seconds of the newest return, 0.0 for never.
        last_error: The newest failure, time-outs included.
    """

    name: str
    started: int
    running: int
    completed: int
    failed: int
    cancelled: int
    timed_out: int
    seconds: float
    buckets: tuple[int, ...]
    last_start: float
    oldest_start: float
    last_success: float
    last_error: LastError | None


@dataclass(slots=True, eq=False)
class TaskRecord:
    """The counts of one task name; the hot path writes to the lists directly.

    Args:
        name: The task name.
        running: What runs now: coroutine or span, and its start.
        buckets: Ended calls by bit length of their duration.
        total: One entry: the summed duration in nanoseconds.
        marks: The newest start and the newest success.
        failures: Ended calls that did not return, by outcome.
        last_error: The newest failure.
    """

    name: str
    running: dict[object, int] = field(default_factory=dict)
    buckets: list[int] = field(default_factory=lambda: [0] * (_BITS + 1))
    total: list[int] = field(default_factory=lambda: [0])
    marks: list[int] = field(default_factory=lambda: [0, 0])
    failures: dict[Outcome, int] = field(
        default_factory=lambda: {"failed": 0, "cancelled": 0, "timed_out": 0}
    )
    last_error: LastError | None = None

    def begin(self, work: object, now: int) -> None:
        """Note that ``work`` has started."""
        self.running[work] = self.marks[0] = now

    def succeed(self, work: object, now: int) -> None:
        """Note that ``work`` has returned."""
        self._end(work, now)
        self.marks[1] = now

    def fail(self, work: object, outcome: Outcome, now: int, error: LastError | None) -> None:
        """Note that ``work`` has ended otherwise."""
        self._end(work, now)
        self.failures[outcome] += 1
        if error is not None:
            self.last_error = error

    def forget(self, work: object) -> None:
        """Take back a start: nothing began."""
        del self.running[work]

    def stats(self, wall_offset: int) -> TaskStats:
        """Return the counts; ``wall_offset`` is Unix time minus monotonic time, nanoseconds."""
        # Each is read once: the collector may close a forgotten coroutine anywhere in here.
        ended, running = sum(self.buckets), len(self.running)
        failed, cancelled, timed_out = self.failures.values()
        return TaskStats(
            name=self.name,
            started=ended + running,
            running=running,
            completed=ended - failed - cancelled - timed_out,
            failed=failed,
            cancelled=cancelled,
            timed_out=timed_out,
            seconds=self.total[0] / 1e9,
            buckets=fold(self.buckets),
            last_start=_wall(self.marks[0], wall_offset),
            oldest_start=_wall(self._oldest(), wall_offset),
            last_success=_wall(self.marks[1], wall_offset),
            last_error=self.last_error,
        )

    def _oldest(self) -> int:
        # The table is in order of start. A loop and not next(iter()): a call between the two may
        # collect a forgotten coroutine, which changes the table.
        for start in self.running.values():
            return start
        return 0

    def _end(self, work: object, now: int) -> None:
        elapsed = now - self.running.pop(work)
        self.buckets[elapsed.bit_length()] += 1
        self.total[0] += elapsed


def fold(buckets: list[int]) -> tuple[int, ...]:
    """Return the counts for :data:`BUCKETS` and one for all above."""
    return (sum(buckets[: SHORT + 1]), *buckets[SHORT + 1 : LONG + 1], sum(buckets[LONG + 1 :]))


def _wall(mark: int, offset: int) -> float:
    return (mark + offset) / 1e9 if mark else 0.0
