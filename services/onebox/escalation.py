"""Escalation: which signal a part that has to end gets, and when."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One way of asking.

    Args:
        signal: What is sent.
        seconds: How long the part may take before the next step.
    """

    signal: signal.Signals
    seconds: float


class Escalation:
    """One part's way out.

    Args:
        steps: From gentle to certain; the last one is repeated.
        now: Monotonic seconds.
        presses: How often the operator had asked when this began.
    """

    def __init__(self, steps: Sequence[Step], now: float, presses: int) -> None:
        """Begin before the first step."""
        self._steps = steps
        self._taken = 0
        self._deadline = now
        self._presses = presses
        self._was_hurried = False

    @property
    def seconds(self) -> float:
        """How long all steps take together."""
        return sum(step.seconds for step in self._steps)

    def due(self, now: float, presses: int) -> signal.Signals | None:
        """Return the signal to send now, if any.

        The operator's first further press repeats the last signal, which services take as "drain
        faster"; each one after that goes on to the next step.
        """
        if presses > self._presses and self._taken:
            self._presses = presses
            if not self._was_hurried:
                self._was_hurried = True
                return self._step(self._taken - 1).signal
            self._deadline = now
        if now < self._deadline:
            return None
        step = self._step(self._taken)
        self._taken += 1
        self._deadline = now + step.seconds
        return step.signal

    def _step(self, number: int) -> Step:
        return self._steps[min(number, len(self._steps) - 1)]
