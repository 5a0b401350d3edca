"""Interruption: the signals that ask onebox to end.

Law of this file: a handler only counts. Code learns of it where it waits, so no signal can cut
between starting a process and keeping hold of it.
"""

import signal
from types import FrameType

# A closed terminal (HUP) means the same as Ctrl-C: nobody is there to stop it later.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):  # like KeyboardInterrupt: it is no error
    """The operator asked onebox to end."""


class StopRequest:
    """Counts how often the operator asked onebox to end."""

    def __init__(self) -> None:
        """Start at nobody asked."""
        self.count = 0

    def listen(self) -> None:
        """Count the signals from now on; main thread only."""
        for number in SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup(1)
                signal.signal(number, self._on_signal)

    def check(self) -> None:
        """Return if nobody asked.

        Raises:
            Interrupted: Somebody did.
        """
        if self.count:
            raise Interrupted

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
