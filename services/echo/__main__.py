"""``python -m echo``: run the echo service until told to stop."""

import os
import sys

import structlog

from bellbuoy import host, logs
from bellbuoy.errors import BellbuoyError
from bellbuoy.settings import load, unknown
from echo.service import Echo
from echo.settings import EchoSettings


def main() -> None:
    """Read the settings and run; a mistake in them ends with one clear message and status 1."""
    try:
        settings = load(EchoSettings, os.environ)
        logs.configure(settings.log_level, service="echo")
        for warning in unknown(EchoSettings, os.environ):
            structlog.get_logger("echo").warning("unknown setting", detail=warning)
        host.run(
            Echo(settings), settings, port=settings.echo_port, admin_port=settings.echo_admin_port
        )
    except BellbuoyError as error:
        sys.exit(f"echo: {error}")


if __name__ == "__main__":
    main()
