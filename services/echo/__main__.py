"""``python -m echo``: run the echo service until told to stop."""

import os
import sys
from collections.abc import Sequence

from bellbuoy import host, logs, startup
from bellbuoy.errors import BellbuoyError
from bellbuoy.settings import load
from echo.service import Echo
from echo.settings import EchoSettings


def main(arguments: Sequence[str] = ()) -> int:
    """Run and return the exit status; what an operator must mend is one clear message."""
    if usage := startup.refuse_arguments("echo", arguments):
        sys.stderr.write(usage)
        return startup.USAGE
    try:
        settings = load(EchoSettings, os.environ)
        logs.configure(settings.log_level, service=Echo.name)
        startup.warn_of_unknown(EchoSettings, os.environ)
        host.run(
            Echo(settings), settings, port=settings.echo_port, admin_port=settings.echo_admin_port
        )
    except BellbuoyError as error:
        sys.stderr.write(f"echo: {error}\n")
        return startup.exit_status(error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
