"""A finding: one thing that is not as it should be, in words for somebody who was just woken."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeVar

Level = Literal["bad", "warn", "note"]
"""``bad``: clients suffer now. ``warn``: some do, or soon will. ``note``: worth knowing."""

_ORDER: tuple[Level, ...] = ("bad", "warn", "note")

T = TypeVar("T")


@dataclass(frozen=True)
class Finding:
    """One thing.

    Args:
        key: What it is to the history: the same key is the same trouble going on.
        level: How bad it is.
        what: What is wrong.
        meaning: What clients notice.
        look: Where to look, or what to do.
        age: Seconds for which it has been so already, as far as the numbers themselves tell.
    """

    key: str
    level: Level
    what: str
    meaning: str
    look: str
    age: float = 0.0


def worst_first(items: Iterable[T], level: Callable[[T], Level]) -> list[T]:
    """Return the items in the order of their levels; equals stay as they stand."""
    return sorted(items, key=lambda item: _ORDER.index(level(item)))
