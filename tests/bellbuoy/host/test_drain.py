"""The drain: its order is the promise, and each step is bounded."""

import asyncio

import pytest

from bellbuoy import timeouts
from bellbuoy.host.acceptor import Acceptor
from bellbuoy.host.drain import drain
from bellbuoy.lifecycle import State
from bellbuoy.scoreboard import Scoreboard, Slot
from tests.bellbuoy.host.services import Recorder
from tests.waiting import soon


class Gate(Acceptor):
    """An acceptor without a listener, which notes when it is closed."""

    def __init__(self, server: Recorder, slot: Slot) -> None:
        """Note in ``server``'s list, so that the order shows."""
        self.recorder = server
        self.slot = slot

    async def close(self) -> None:
        """Close, as far as the world sees."""
        assert self.slot.state is State.DRAINING
        self.recorder.asked.append("close")


@pytest.fixture
def slot() -> Slot:
    """A slot whose worker is ready."""
    slot = Scoreboard((), 2).workers[0]
    slot.take(admin=False)
    slot.step(State.READY)
    return slot


ORDER = ["announce_drain", "close", "drain"]


async def test_the_order_is_the_promise(slot: Slot) -> None:
    """Not ready, told, closed, finished."""
    server = Recorder()
    server.drained.set()
    assert await drain(server, Gate(server, slot), slot, asyncio.Event(), delay=0.0, most=5.0)
    assert server.asked == ORDER
    assert slot.state is State.DRAINING


async def test_it_goes_on_accepting_for_the_delay(slot: Slot) -> None:
    """Clients are told at once, the acceptor is closed when the delay is over."""
    server, hurry = Recorder(), asyncio.Event()
    server.drained.set()
    draining = asyncio.ensure_future(
        drain(server, Gate(server, slot), slot, hurry, delay=60.0, most=5.0)
    )
    await asyncio.sleep(0)
    assert server.asked == ORDER[:1]
    assert slot.state is State.DRAINING
    hurry.set()
    assert await draining
    assert server.asked == ORDER


async def test_what_takes_too_long_is_cut(slot: Slot) -> None:
    """And it says that not everything was finished."""
    server = Recorder()
    finished = await drain(server, Gate(server, slot), slot, asyncio.Event(), delay=0.0, most=0.01)
    assert not finished
    assert server.asked == [*ORDER, "abort"]


async def test_a_hurry_leaves_a_moment_to_finish(
    slot: Slot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is finished within it is not cut."""
    monkeypatch.setattr(timeouts, "HURRY", 5.0)
    server, hurry = Recorder(), asyncio.Event()
    hurry.set()
    draining = asyncio.ensure_future(
        drain(server, Gate(server, slot), slot, hurry, delay=0.0, most=60.0)
    )
    await soon(lambda: server.asked == ORDER)
    server.drained.set()
    assert await draining
    assert server.asked == ORDER


async def test_a_hurry_ends_what_goes_on(slot: Slot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even when the deadline is far away."""
    monkeypatch.setattr(timeouts, "HURRY", 0.01)
    server, hurry = Recorder(), asyncio.Event()
    hurry.set()
    assert not await drain(server, Gate(server, slot), slot, hurry, delay=60.0, most=60.0)
    assert server.asked == [*ORDER, "abort"]


async def test_a_drain_that_fails_is_cut(slot: Slot) -> None:
    """The worker leaves all the same."""

    class Failing(Recorder):
        async def drain(self) -> None:
            await super().drain()
            raise RuntimeError("on purpose")

    server = Failing()
    server.drained.set()
    gate = Gate(server, slot)
    assert not await drain(server, gate, slot, asyncio.Event(), delay=0.0, most=5.0)
    assert server.asked == [*ORDER, "abort"]
