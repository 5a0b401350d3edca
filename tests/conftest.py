"""What every test shares: the event loops that asynchronous tests run on.

Law of this file: only what concerns each test. Fixtures of one subject stand in a module of
their own beside this file, and a test imports what it uses.
"""

import signal
from collections.abc import Sequence
from typing import Any

import pytest
import uvloop

# A shell lets what it runs in the background ignore these, and a program under test inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)


class Loop(uvloop.Loop):
    """uvloop's, out of which a test's time limit finds its way.

    uvloop takes what a signal's handler raises for the failure of a callback, and would go on.
    """

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Stop for what pytest raises; the test fails because its loop has stopped."""
        super().call_exception_handler(context)
        if isinstance(context.get("exception"), pytest.fail.Exception):
            self.stop()


LOOPS = [
    pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
    pytest.param(("asyncio", {"use_uvloop": True, "loop_factory": Loop}), id="uvloop"),
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what takes longest first, so that no worker ends long after the others."""
    items.sort(key=lambda item: -_seconds(item))


def _seconds(item: pytest.Item) -> float:
    """Return about how long a test takes; one that takes minutes has a timeout of its own."""
    own: Sequence[float] = [mark.args[0] for mark in item.iter_markers("timeout")]
    slow = 1.0 if item.get_closest_marker("slow") else 0.0
    return max(own, default=slow)


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Each asynchronous test and fixture runs twice: on asyncio's own loop and on uvloop."""
    backend: tuple[str, dict[str, Any]] = request.param
    return backend
