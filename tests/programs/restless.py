"""Starts a service and stops it at once, again and again: forked, so that nothing is imported anew.

Prints the exit status of each round; its argument is their number.
"""

import os
import signal
import sys
import time
from typing import NoReturn

from bellbuoy import host
from tests.programs.third import Settings, Third

STEP = 0.004
"""Seconds between "listening" and the signal, more in each round: another moment of the start."""


def serve(log: int) -> NoReturn:
    """Become a supervisor that logs to ``log``."""
    os.dup2(log, 2)
    host.run(Third(), Settings(workers=3), port=0, admin_port=0)


def start_and_stop(delay: float) -> int:
    """Return the exit status of a service that was signalled ``delay`` after it listened."""
    heard, said = os.pipe()
    pid = os.fork()
    if not pid:
        serve(said)
    os.close(said)
    with open(heard) as log:  # noqa: PTH123 - a pipe
        assert "listening" in log.readline()
        time.sleep(delay)
        os.kill(pid, signal.SIGTERM)
        log.read()  # to its end: the last process that could write has left
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    for number in range(int(sys.argv[1])):
        print(start_and_stop(number * STEP), flush=True)  # noqa: T201 - its answer
