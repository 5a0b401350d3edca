"""The promise of conftest.py: asynchronous tests run, and on both event loops."""

import asyncio

import pytest
import uvloop

from tests.conftest import LOOPS, Loop


async def test_an_async_test_runs_on_the_loop_it_names(request: pytest.FixtureRequest) -> None:
    """The test's id says uvloop exactly when the running loop is uvloop's."""
    named_uvloop = "uvloop" in request.node.name
    assert named_uvloop == isinstance(asyncio.get_running_loop(), uvloop.Loop)


def test_async_tests_are_made_for_both_loops() -> None:
    """Leaving a loop out of the suite is a decision, not an accident."""
    assert [loop.id for loop in LOOPS] == ["asyncio", "uvloop"]


def test_a_time_limit_ends_what_waits_on_uvloop() -> None:
    """A test that hangs is a failure, and no hanging suite."""
    loop = Loop()
    loop.set_exception_handler(lambda *_: None)
    loop.call_soon(pytest.fail, "Timeout")
    with pytest.raises(RuntimeError, match="stopped"):
        loop.run_until_complete(loop.create_future())
    loop.close()
