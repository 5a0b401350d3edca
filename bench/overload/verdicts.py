"""The targets of overload, and whether what was measured meets them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

LEVELS = (1, 2, 5, 10)
"""Times the capacity."""

MIB = 1 << 20


@dataclass(frozen=True)
class Row:
    """What one level of load brought.

    Args:
        times: The level, in capacities.
        due: Requests a second that were due.
        sent: Of these, those that were sent.
        unsent: Of these, those for which the client had no connection free.
        goodput: Successes a second.
        p50_ms: Median latency of the successes, in milliseconds.
        p99_ms: 99th percentile.
        refused: Refusals a second.
        refusal_p50_ms: Median latency of the refusals.
        refusal_p99_ms: 99th percentile.
        others: Requests that were neither.
        recovery_s: Seconds from the end of the load until half of the capacity was answered well
            again, what was left waiting included.
        memory_mib: The worker's resident memory at its most.
        greeting_p99_ms: The greeting's, meanwhile; where it is not what is overloaded.
    """

    times: int
    due: int
    sent: int
    unsent: int
    goodput: float
    p50_ms: float | None
    p99_ms: float | None
    refused: float
    refusal_p50_ms: float | None
    refusal_p99_ms: float | None
    others: int
    recovery_s: float
    memory_mib: float
    greeting_p99_ms: float | None = None


@dataclass(frozen=True)
class Target:
    """A figure that every level above the capacity must reach.

    Args:
        name: What is measured.
        figure: Computes it from all rows and one of them; ``None`` if there was none, which above
            the capacity means that nobody was served, or nobody refused.
        bound: What is wanted.
        direction: Whether it is wanted at least or at most.
    """

    name: str
    figure: Callable[[Sequence[Row], Row], float | None]
    bound: float
    direction: Literal[">=", "<="]

    def judge(self, rows: Sequence[Row], row: Row) -> dict[str, object]:
        """Return the figure of a row beside what is wanted."""
        figure = self.figure(rows, row)
        is_met = figure is not None and (
            figure >= self.bound if self.direction == ">=" else figure <= self.bound
        )
        return {
            "what": self.name,
            "times": row.times,
            "figure": None if figure is None else round(figure, 3),
            "target": f"{self.direction} {self.bound:g}",
            "met": is_met,
        }


def _share_of_peak(rows: Sequence[Row], row: Row) -> float:
    return row.goodput / max(each.goodput for each in rows)


def _sent(_: Sequence[Row], row: Row) -> float:
    return row.sent / row.due


def _saturation(rows: Sequence[Row], row: Row) -> float:
    return row.sent / rows[0].due


def _growth(rows: Sequence[Row], row: Row) -> float:
    return row.memory_mib - rows[0].memory_mib


RECOVERY = Target("recovery, s", lambda _, row: row.recovery_s, 5, "<=")
GROWTH = Target("worker's memory above that at capacity, MiB", _growth, 16, "<=")

DATABASE_BOUND = (
    Target("sent, share of what was due", _sent, 0.99, ">="),
    Target("goodput, share of peak", _share_of_peak, 0.9, ">="),
    Target("refusals, p99 ms", lambda _, row: row.refusal_p99_ms, 10, "<="),
    RECOVERY,
    GROWTH,
)
CPU_BOUND = (
    Target("sent, share of the capacity", _saturation, 0.9, ">="),
    Target("served, p99 ms", lambda _, row: row.p99_ms, 1000, "<="),
    RECOVERY,
    GROWTH,
)


def judge(rows: Sequence[Row], targets: Sequence[Target]) -> list[dict[str, object]]:
    """Return every target beside its figure, for each level above the capacity."""
    return [
        target.judge(rows, row) for target in targets for row in rows if row.times > rows[0].times
    ]
