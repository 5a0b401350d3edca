"""Restarts: how long a part that died is left alone before it is started again."""

_FIRST = 0.25  # seconds; what it left behind is gone by then, see leftovers.py, so a start that
_FACTOR = 2.0  # fails is about something else: five spread over 0.25 + 0.5 + 1 + 2 + 4 s outlive it
_QUICK_DEATHS = 6
_STABLE = 10.0  # seconds: who lived so long had started; its death is a new story


class Restarts:
    """The restarts of one part."""

    def __init__(self) -> None:
        """Nothing died yet."""
        self.deaths = 0

    def after(self, lived: float) -> float | None:
        """Count a death and return the seconds to wait, or ``None`` to give up.

        Args:
            lived: Seconds from start to death.
        """
        self.deaths = 1 if lived >= _STABLE else self.deaths + 1
        if self.deaths >= _QUICK_DEATHS:
            return None
        return float(_FIRST * _FACTOR ** (self.deaths - 1))
