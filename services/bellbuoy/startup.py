"""The startup of a program: what every composition root does alike."""

import os
from collections.abc import Mapping, Sequence

import structlog

from bellbuoy.errors import BellbuoyError, SettingsError
from bellbuoy.settings import Settings, unknown

MISCONFIGURED = os.EX_CONFIG
"""Exit status (78, sysexits.h) after a mistake in the settings: starting again cannot help."""

USAGE = 2
"""Exit status after a command line that is not understood, as argparse has it."""


def exit_status(error: BellbuoyError) -> int:
    """Return the exit status of a program that ends with ``error``."""
    return MISCONFIGURED if isinstance(error, SettingsError) else 1


def refuse_arguments(program: str, arguments: Sequence[str]) -> str | None:
    """Return the line of usage for a program that takes no arguments but got some."""
    if not arguments:
        return None
    return f"usage: python -m {program}  (settings are BUOY_ variables: docs/configuration.md)\n"


def warn_of_unknown(cls: type[Settings], environ: Mapping[str, str]) -> None:
    """Log a warning for each ``BUOY_`` variable that no program reads."""
    for warning in unknown(cls, environ):
        structlog.get_logger("bellbuoy.settings").warning("unknown setting", detail=warning)
