"""The log level as an operator commands it, in each process."""

import time
from collections.abc import Callable

import structlog

from bellbuoy import logs
from bellbuoy.commands import Commands, Level

_log = structlog.get_logger("bellbuoy.host.logs")


class LogLevel:
    """Keeps this process's level at what is commanded, or configured.

    Args:
        commands: Where it is commanded.
        configured: What holds otherwise.
        clock: Monotonic seconds.
    """

    def __init__(
        self, commands: Commands, configured: Level, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Find it as configured."""
        self._commands = commands
        self._configured = self._current = configured
        self._clock = clock

    def follow(self) -> None:
        """Change the level if it was commanded, or its time is over; called at each beat."""
        level = self._commands.level(self._clock()) or self._configured
        if level != self._current:
            logs.set_level(level)
            _log.warning("log level changed", to=level, before=self._current)
            self._current = level
