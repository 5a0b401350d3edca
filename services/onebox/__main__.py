"""`python -m onebox`: run the whole stack in this terminal."""

import os
import sys

from bellbuoy import logs
from bellbuoy.errors import BellbuoyError
from bellbuoy.settings import load
from onebox import program
from onebox.interruption import Interrupted, StopRequest
from onebox.settings import OneboxSettings


def main() -> int:
    """Return the exit status: 0 when the operator ended it, 1 when something has to change."""
    stop = StopRequest()
    stop.listen()
    try:
        settings = load(OneboxSettings, os.environ)
        logs.configure(settings.log_level, service="onebox")
        program.run(settings, os.environ, stop)
    except Interrupted:
        return 0
    except BellbuoyError as error:
        sys.stderr.write(f"\nonebox: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
