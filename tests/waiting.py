"""Waiting in tests: for a condition, never for a time."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE = 60.0
"""Seconds for what takes a fraction of one on an idle machine."""

T = TypeVar("T")


def eventually(condition: Callable[[], T], within: float = PATIENCE) -> T:
    """Return what ``condition`` returns once that is true; fail when it takes too long."""
    deadline = time.monotonic() + within
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not within {within} s: {condition}"
        time.sleep(0.02)
    return result


async def soon(condition: Callable[[], object]) -> None:
    """Let the loop turn until ``condition`` is true; fail when that takes too long."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what a test waits for has no event of its own
            await asyncio.sleep(0.001)
