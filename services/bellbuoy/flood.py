"""The flood gate of the log: however often something happens, what is written of it is bounded.

Law of this file: events are one if logger and message are; each may be written so often in a
while, and the first one after that says how many were not. If none comes, they are left to whoever
asks for them, so that the end of a flood is told, too. Messages are few, because what varies
is in fields and arguments; there is room for :data:`KINDS`, and the rest share one gate.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

KINDS = 500
"""Kinds of events that are told apart."""


@dataclass(frozen=True)
class Gate:
    """How much of one kind of event is written.

    Args:
        most: Events in each while.
        seconds: How long a while is.
    """

    most: int
    seconds: float


OURS = Gate(500, 10.0)
"""A line of 300 bytes 50 times a second: 1.3 GB a day at the very most, for each kind."""

FOREIGN = {"asyncpg": Gate(1, 60.0)}
"""By the first name of a logger. asyncpg tells of every connection that it could not restore, with
a traceback, many times a second while PostgreSQL is away; what matters of that is in ``db_up``."""


GRACE = 5.0
"""Seconds for which an event after the while is waited for: a flood that goes on tells itself."""


class Left(NamedTuple):
    """How many events of one kind were not written."""

    logger: str
    event: str
    suppressed: int


@dataclass
class _Kind:
    began: float
    written: int = 0
    suppressed: int = 0


class FloodGate(logging.Filter):
    """A filter for a handler.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Have seen nothing."""
        super().__init__()
        self._clock = clock
        self._kinds: dict[tuple[str, str], _Kind] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether an event is written; the one after a gap says how wide that was."""
        foreign = _foreign(record.name)
        gate, now = foreign or OURS, self._clock()
        kind = self._kind(record, now)
        if now - kind.began >= gate.seconds:
            kind.began, kind.written = now, 0
        if kind.written >= gate.most:
            kind.suppressed += 1
            return False
        kind.written += 1
        if foreign:
            _shorten(record)
        if kind.suppressed:
            _tell(record, kind.suppressed)
            kind.suppressed = 0
        return True

    def left(self, *, last: bool = False) -> list[Left]:
        """Return, once, what was not written in floods that are over, in all of them if ``last``.

        No longer than the number of kinds.
        """
        now = self._clock()
        found = []
        for (logger, event), kind in list(self._kinds.items()):
            gate = _foreign(logger) or OURS
            if kind.suppressed and (last or now - kind.began >= gate.seconds + GRACE):
                found.append(Left(logger, event, kind.suppressed))
                kind.suppressed = 0
        return found

    def _kind(self, record: logging.LogRecord, now: float) -> _Kind:
        event = record.msg["event"] if isinstance(record.msg, dict) else record.msg
        key = (record.name, str(event)[:200])
        if key not in self._kinds and len(self._kinds) >= KINDS:
            key = ("", "")
        return self._kinds.setdefault(key, _Kind(now))


def _foreign(logger: str) -> Gate | None:
    return FOREIGN.get(logger.partition(".")[0])


def _shorten(record: logging.LogRecord) -> None:
    """Put the error's name in the place of its traceback."""
    if record.exc_info and record.exc_info[0] is not None:
        record.msg = f"{record.msg} ({record.exc_info[0].__name__})"
        record.exc_info = record.exc_text = None


def _tell(record: logging.LogRecord, suppressed: int) -> None:
    if isinstance(record.msg, dict):
        record.msg = {**record.msg, "suppressed_before": suppressed}
    else:
        record.suppressed_before = suppressed
