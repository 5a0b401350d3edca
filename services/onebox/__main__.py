"""`python -m onebox`: run the whole stack in this terminal."""

import os
import sys
from collections.abc import Sequence

from bellbuoy import logs, startup
from bellbuoy.errors import BellbuoyError
from bellbuoy.settings import load
from onebox import program
from onebox.interruption import Interrupted, StopRequest
from onebox.settings import OneboxSettings


def main(arguments: Sequence[str] = ()) -> int:
    """Return the exit status: 0 when the operator ended it, others when something has to change."""
    if usage := startup.refuse_arguments("onebox", arguments):
        sys.stderr.write(usage)
        return startup.USAGE
    stop = StopRequest()
    stop.listen()
    try:
        settings = load(OneboxSettings, os.environ)
        logs.configure(settings.log_level, service="onebox")
        startup.warn_of_unknown(OneboxSettings, os.environ)
        program.run(settings, os.environ, stop)
    except Interrupted:
        return 0
    except BellbuoyError as error:
        sys.stderr.write(f"\nonebox: {error}\n")
        return startup.exit_status(error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
