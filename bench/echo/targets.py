"""The targets: bounds of our figures, and whether they are met."""

import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

RELATIONS = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, "==": operator.eq}


@dataclass(frozen=True)
class Target:
    """One bound of one figure.

    Args:
        figure: What the tables call it.
        relation: One of :data:`RELATIONS`.
        bound: What it is compared with.
    """

    figure: str
    relation: str
    bound: float

    def is_met(self, value: float) -> bool:
        """Return whether a value is what is wanted; what is no number is not."""
        return bool(RELATIONS[self.relation](value, self.bound))


@dataclass(frozen=True)
class Verdict:
    """A target, and the value that was measured."""

    target: Target
    value: float

    def row(self) -> list[str]:
        """Return figure, value, target, and whether it is met."""
        target = self.target
        return [
            target.figure,
            f"{self.value:,.2f}",
            f"{target.relation} {target.bound:,g}",
            "met" if target.is_met(self.value) else "NOT MET",
        ]

    def __str__(self) -> str:
        figure, value, wanted, said = self.row()
        return f"    {figure:48}{value:>14}   {wanted:12} {said}"

    def record(self) -> dict[str, object]:
        """Return it as the JSON file has it."""
        target = self.target
        return {
            "figure": target.figure,
            "value": round(self.value, 3),
            "target": f"{target.relation} {target.bound:g}",
            "met": target.is_met(self.value),
        }


def judge(targets: Iterable[Target], figures: Mapping[str, float]) -> list[Verdict]:
    """Return a verdict for each target; what was not measured is left out."""
    return [
        Verdict(target, figures[target.figure]) for target in targets if target.figure in figures
    ]
