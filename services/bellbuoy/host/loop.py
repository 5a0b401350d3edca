"""The event loop: the one place that knows uvloop."""

import asyncio
from collections.abc import Callable
from typing import Literal

import uvloop


def loop_factory(name: Literal["uvloop", "asyncio"]) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes the event loop called ``name``.

    A factory, not a policy: event loop policies go away in Python 3.16.
    """
    return uvloop.new_event_loop if name == "uvloop" else asyncio.new_event_loop
