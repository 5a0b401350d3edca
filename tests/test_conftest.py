"""The promise of conftest.py: asynchronous tests run, and on both event loops."""

import asyncio

import pytest

from tests.conftest import LOOPS


async def test_an_async_test_runs_on_the_loop_it_names(request: pytest.FixtureRequest) -> None:
    """The test's id says uvloop exactly when the running loop is uvloop's."""
    named_uvloop = "uvloop" in request.node.name
    assert named_uvloop == type(asyncio.get_running_loop()).__module__.startswith("uvloop")


def test_async_tests_are_made_for_both_loops() -> None:
    """Leaving a loop out of the suite is a decision, not an accident."""
    assert [loop.id for loop in LOOPS] == ["asyncio", "uvloop"]
