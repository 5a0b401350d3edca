"""The targets: our figures as multiples of others', and whether that is enough."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.api.contestants import BARE, FASTAPI, NAIVE, OURS
from bench.api.scenarios import CONNECTIONS, PAGE

Rows = Mapping[str, Mapping[str, Mapping[str, float]]]


@dataclass(frozen=True)
class Target:
    """Our figure over another contestant's.

    Args:
        scenario: Where.
        field: Which figure.
        versus: Whose.
        bound: The multiple that is wanted.
        direction: Whether it is wanted at least or at most.
    """

    scenario: str
    field: str
    versus: str
    bound: float
    direction: Literal[">=", "<="]

    def ratio(self, rows: Rows) -> float:
        """Return our figure over theirs."""
        return rows[self.scenario][OURS][self.field] / rows[self.scenario][self.versus][self.field]

    def is_met(self, rows: Rows) -> bool:
        """Return whether the ratio is what is wanted."""
        ratio = self.ratio(rows)
        return ratio >= self.bound if self.direction == ">=" else ratio <= self.bound


_BY_ID, _ALONE = f"user by id, {CONNECTIONS} connections", "user by id, 1 connection"
_RATE, _P99 = "per_second", "p99_ms"

TARGETS = (
    Target("greeting", "cpu_us", BARE, 1.25, "<="),
    Target("greeting", _RATE, FASTAPI, 2.3, ">="),
    Target(_BY_ID, _RATE, FASTAPI, 4.0, ">="),
    Target(_BY_ID, _RATE, NAIVE, 2.0, ">="),
    Target(_BY_ID, _P99, FASTAPI, 1.0, "<="),
    Target(_BY_ID, _P99, NAIVE, 1.0, "<="),
    Target(_ALONE, _RATE, NAIVE, 1.0, ">="),
    Target(f"list of {PAGE}", _RATE, FASTAPI, 3.0, ">="),
    Target("create", _RATE, FASTAPI, 1.5, ">="),
)


def judge(rows: Rows, targets: Sequence[Target] = TARGETS) -> list[dict[str, object]]:
    """Return each target beside what was measured; what was not measured is left out."""
    return [
        {
            "scenario": target.scenario,
            "figure": target.field,
            "over": target.versus,
            "target": f"{target.direction} {target.bound:g}",
            "ratio": round(target.ratio(rows), 3),
            "met": target.is_met(rows),
        }
        for target in targets
        if target.versus in rows.get(target.scenario, {})
    ]
