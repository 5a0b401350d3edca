"""Commands: what an operator tells every process of a container while it runs.

Law of this file: the admin process writes, everybody else reads at each beat; each command is one
cell that is stored at once, so nobody needs a lock. They live in the scoreboard: a worker that is
replaced, the admin process included, obeys them from its first beat on.
"""

import math
from typing import Literal, get_args

Level = Literal["debug", "info", "warning", "error"]

_LEVELS: tuple[Level, ...] = get_args(Level)


class Commands:
    """The command block.

    Args:
        cells: :data:`CELLS` cells of the scoreboard.
    """

    CELLS = 8

    def __init__(self, cells: "memoryview[float]") -> None:
        """Read what is there; all zeros is no command."""
        self._cells = cells

    @property
    def withdrawn(self) -> bool:
        """Whether an operator took the container out of the traffic."""
        return bool(self._cells[0])

    @withdrawn.setter
    def withdrawn(self, value: bool) -> None:
        self._cells[0] = float(value)

    def set_level(self, level: Level | None, until: float = math.inf) -> None:
        """Have everybody log from ``level`` on, as configured again if it is ``None``.

        Args:
            level: The least severe level that is logged.
            until: When it ends, by ``time.monotonic()``, which all processes share.
        """
        # In this order: a reader in between sees the old level, and for a moment the new end.
        self._cells[2] = until
        self._cells[1] = float(_LEVELS.index(level) + 1) if level else 0.0

    def level(self, now: float) -> Level | None:
        """Return the level that was commanded and has not ended."""
        number, until = int(self._cells[1]), self._cells[2]
        return _LEVELS[number - 1] if number and now < until else None

    @property
    def until(self) -> float:
        """When the commanded level ends, by ``time.monotonic()``."""
        return self._cells[2]
