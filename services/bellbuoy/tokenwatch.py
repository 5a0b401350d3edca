"""The watch over a token file: who a token is, without restarting after a change.

Law of this file: a request costs a look into a table. Whether the file changed is asked at most
once in :data:`LOOK` seconds, and a file that turned bad changes nothing but the log. A file that
could not be read says nothing: it is read again at the next look, or a revocation would be lost.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from bellbuoy import tokens
from bellbuoy.errors import SettingsError
from bellbuoy.tokens import Token

LOOK = 1.0
"""Seconds between two looks at the file, and so the most by which a revocation is late."""

_Mark = tuple[int, int, int, int]

_log = structlog.get_logger("bellbuoy.tokens")


class TokenWatch:
    """Knows the tokens of a file.

    Args:
        variable: The variable that named the file, for messages.
        path: The file.
        clock: Monotonic seconds.
        now: Seconds since 1970; tokens expire by them.

    Raises:
        SettingsError: The file cannot be read, or is no token file.
    """

    def __init__(
        self,
        variable: str,
        path: Path,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Read the file for the first time."""
        self._variable = variable
        self._path = path
        self._clock = clock
        self._now = now
        # The mark first: a change in between is noticed at the next look.
        self._mark = _mark(path)
        self._known = _table(tokens.load(variable, path))
        self._next_look = clock() + LOOK
        self._complained = ""

    def find(self, token: str) -> Token | None:
        """Return what is known of a token that opens something now, else ``None``."""
        if self._clock() >= self._next_look:
            self._look()
        found = self._known.get(tokens.digest(token))
        if found is not None and found.expires and found.expires.timestamp() <= self._now():
            return None
        return found

    def _look(self) -> None:
        self._next_look = self._clock() + LOOK
        mark = _mark(self._path)
        if mark == self._mark:
            self._complained = ""
            return
        try:
            self._known = _table(tokens.load(self._variable, self._path))
        except SettingsError as error:
            self._complain(str(error))
            if isinstance(error.__cause__, OSError):
                return
        else:
            self._complained = ""
            _log.info("tokens read again", tokens=len(self._known))
        # It stands for what was read, good or bad, and so not for what could not be.
        self._mark = mark

    def _complain(self, reason: str) -> None:
        """Log what is wrong with the file, once for as long as it is the same."""
        if reason != self._complained:
            _log.error("token file is bad, the tokens stay as they were", reason=reason)
        self._complained = reason


def _table(content: tokens.Tokens) -> dict[str, Token]:
    return {each.sha256: each for each in content.tokens}


def _mark(path: Path) -> _Mark | None:
    """Return what changes with a file's contents; links are followed, as Kubernetes makes them."""
    try:
        found = os.stat(path)  # noqa: PTH116 - on the request path; a Path's costs twice as much
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
