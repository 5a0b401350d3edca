"""The event loop: the one place that knows uvloop."""

import asyncio
import importlib.metadata
import platform
from collections.abc import Callable
from typing import Literal

import uvloop


def loop_factory(name: Literal["uvloop", "asyncio"]) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes the event loop called ``name``.

    A factory, not a policy: event loop policies go away in Python 3.16.
    """
    return uvloop.new_event_loop if name == "uvloop" else asyncio.new_event_loop


def loop_version(name: Literal["uvloop", "asyncio"]) -> str:
    """Return the version of the event loop called ``name``; asyncio's is Python's."""
    return importlib.metadata.version("uvloop") if name == "uvloop" else platform.python_version()
