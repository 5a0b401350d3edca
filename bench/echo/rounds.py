"""Rounds: each figure is measured several times, and its median is what is said of it."""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence

Figures = dict[str, float]
"""What one round measured, or what is said of all of them."""

Rounds = dict[str, list[float]]
"""What each figure was in every round, in their order."""

Judgement = Callable[[Sequence[float]], float]
"""What of several rounds counts."""


def gather(rounds: Iterable[Figures]) -> Rounds:
    """Return the rounds by figure."""
    gathered: Rounds = {}
    for figures in rounds:
        for name, value in figures.items():
            gathered.setdefault(name, []).append(round(value, 3))
    return gathered


def alternate(contestants: Mapping[str, Callable[[], Figures]], rounds: int) -> dict[str, Rounds]:
    """Let contestants take turns, so that whatever else the machine does hits all alike."""
    seen: dict[str, list[Figures]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, measure in contestants.items():
            seen[name].append(measure())
    return {name: gather(each) for name, each in seen.items()}


def summary(rounds: Rounds, worst: Mapping[str, Judgement] | None = None) -> Figures:
    """Return the median of each figure.

    Args:
        rounds: What was measured.
        worst: Figures of which one bad round is one too many, and which round is bad.
    """
    judges = worst or {}
    return {name: float(judges.get(name, statistics.median)(each)) for name, each in rounds.items()}
