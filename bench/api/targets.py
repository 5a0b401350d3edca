"""The targets: our figures as multiples of others', and whether that is enough."""

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.api.contestants import BARE, FASTAPI, NAIVE, OURS
from bench.api.scenarios import CONNECTIONS, PAGE

NOT_MEASURED = "not measured"

Rows = Mapping[str, Mapping[str, Mapping[str, float]]]


_COMPARE = {">=": operator.ge, "<=": operator.le, "<": operator.lt}


@dataclass(frozen=True)
class Target:
    """Our figure over another contestant's.

    Args:
        scenario: Where.
        field: Which figure.
        versus: Whose.
        bound: The multiple that is wanted.
        direction: Whether it is wanted at least, at most, or below.
    """

    scenario: str
    field: str
    versus: str
    bound: float
    direction: Literal[">=", "<=", "<"]

    def ratio(self, rows: Rows) -> float | None:
        """Return our figure over theirs; ``None`` when one of them was not measured."""
        row = rows.get(self.scenario, {})
        if OURS not in row or self.versus not in row:
            return None
        return row[OURS][self.field] / row[self.versus][self.field]

    def is_met(self, rows: Rows) -> bool:
        """Return whether the ratio is what is wanted; what was not measured is not."""
        ratio = self.ratio(rows)
        return ratio is not None and _COMPARE[self.direction](ratio, self.bound)


_BY_ID, _ALONE = f"user by id, {CONNECTIONS} connections", "user by id, 1 connection"
_RATE, _P99 = "per_second", "p99_ms"

TARGETS = (
    Target("greeting", "cpu_us", BARE, 1.25, "<="),
    Target("greeting", _RATE, FASTAPI, 2.3, ">="),
    Target(_BY_ID, _RATE, FASTAPI, 4.0, ">="),
    Target(_BY_ID, _RATE, NAIVE, 2.0, ">="),
    Target(_BY_ID, _P99, FASTAPI, 1.0, "<"),
    Target(_BY_ID, _P99, NAIVE, 1.0, "<"),
    Target(_ALONE, _RATE, NAIVE, 1.0, ">="),
    Target(f"list of {PAGE}", _RATE, FASTAPI, 3.0, ">="),
    Target("create", _RATE, FASTAPI, 1.5, ">="),
)


def judge(rows: Rows, targets: Sequence[Target] = TARGETS) -> list[dict[str, object]]:
    """Return each target beside what was measured; what was not measured is not met."""
    return [_verdict(rows, target) for target in targets]


def _verdict(rows: Rows, target: Target) -> dict[str, object]:
    ratio = target.ratio(rows)
    return {
        "scenario": target.scenario,
        "figure": target.field,
        "over": target.versus,
        "target": f"{target.direction} {target.bound:g}",
        "ratio": NOT_MEASURED if ratio is None else round(ratio, 3),
        "met": target.is_met(rows),
    }
