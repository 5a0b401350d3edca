"""Waiting: for a condition, with a deadline, while something else is watched.

Onebox polls. It waits for files, ports and processes of three programs at once, and 50 looks a
second at a few of them cost less than one page of event plumbing would cost its reader.
"""

import time
from collections.abc import Callable

TICK = 0.02  # seconds between two looks: well below what a person notices

Watch = Callable[[], None]


def nothing() -> None:
    """Watch nothing."""


def wait_until(
    condition: Callable[[], bool],
    *,
    timeout: float,
    watch: Watch = nothing,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Return whether ``condition`` came true within ``timeout`` seconds.

    Args:
        condition: Asked once a tick, and at least once.
        timeout: Seconds.
        watch: Called once a tick before the condition; what it raises ends the wait.
        clock: Monotonic seconds.
        sleep: Pauses for seconds.
    """
    deadline = clock() + timeout
    while True:
        watch()
        if condition():
            return True
        if clock() >= deadline:
            return False
        sleep(TICK)
