"""What every test shares: the event loops that asynchronous tests run on.

Law of this file: only what concerns each test. Fixtures of one subject stand in a module of
their own beside this file, and a test imports what it uses.
"""

from typing import Any

import pytest

LOOPS = [
    pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
    pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
]


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Each asynchronous test and fixture runs twice: on asyncio's own loop and on uvloop."""
    backend: tuple[str, dict[str, Any]] = request.param
    return backend
