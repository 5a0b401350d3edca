"""Turns: waiting for others is bounded, fair and told apart from waiting for PostgreSQL."""

import asyncio
from pathlib import Path

import pytest

from bellbuoy import timeouts
from bellbuoy.database.connections import Connections
from bellbuoy.database.session import connect_arguments
from bellbuoy.errors import DatabaseUnavailable
from tests.bellbuoy.database.pools import nowhere
from tests.bellbuoy.database.test_measures import measures


def connections(folder: Path, size: int) -> Connections:
    """Return connections to nowhere."""
    return Connections(connect_arguments(nowhere(folder), "test"), size, measures())


async def test_there_are_as_many_turns_as_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more waits, for so long and no longer; it is counted."""
    monkeypatch.setattr(timeouts, "ACQUIRE", 0.05)
    counted = measures()
    limited = Connections(connect_arguments(nowhere(tmp_path), "test"), 2, counted)
    await limited.wait_for_turn()
    await limited.wait_for_turn()
    with pytest.raises(DatabaseUnavailable, match="in use"):
        await limited.wait_for_turn()
    assert (counted.acquire_timeouts.value, counted.pending.value) == (1, 0)
    limited.end_turn()
    await limited.wait_for_turn()


async def test_turns_are_given_in_the_order_of_asking(tmp_path: Path) -> None:
    """Nobody overtakes those who wait."""
    limited, order = connections(tmp_path, 1), []
    await limited.wait_for_turn()

    async def take(number: int) -> None:
        await limited.wait_for_turn()
        order.append(number)
        limited.end_turn()

    waiting = [asyncio.ensure_future(take(number)) for number in range(3)]
    await asyncio.sleep(0)
    limited.end_turn()
    await take(3)
    await asyncio.gather(*waiting)
    assert order == [0, 1, 2, 3]


async def test_who_gives_up_waiting_takes_no_turn(tmp_path: Path) -> None:
    """A cancelled caller leaves the queue."""
    limited = connections(tmp_path, 1)
    await limited.wait_for_turn()
    waiting = asyncio.ensure_future(limited.wait_for_turn())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    limited.end_turn()
    next_one = asyncio.ensure_future(limited.wait_for_turn())
    done, _ = await asyncio.wait({next_one}, timeout=0.5)  # half of what a turn is waited for
    assert done == {next_one}
    assert next_one.exception() is None


async def test_opening_and_closing_need_no_server(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A pool without a floor connects to nothing, and asyncpg has nothing to complain about."""
    idle = connections(tmp_path, 3)
    await idle.open()
    idle.collect()
    await idle.close()
    assert caplog.records == []
