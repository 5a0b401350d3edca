"""The acceptor: what it takes, what it refuses, and what it does when accept(2) fails."""

import asyncio
import errno
import resource

import pytest
from structlog.testing import capture_logs

from bellbuoy.host import acceptor as module
from bellbuoy.host.acceptor import (
    BATCH,
    RESERVED_DESCRIPTORS,
    connection_cap,
)
from bellbuoy.host.families import ACTIVE, LIMIT
from bellbuoy.lifecycle import State
from tests.bellbuoy.host.accepting import bench
from tests.waiting import soon


async def test_connections_are_handed_to_the_server() -> None:
    """Each gets a protocol, and the world sees how many there are."""
    async with bench() as given:
        given.acceptor.start()
        with given.clients(3):
            await soon(lambda: given.accepted == 3)
            given.instruments.flush()
            assert given.own.connections == 3
            assert given.instruments.gauge(ACTIVE).value == 3
            assert given.instruments.gauge(LIMIT).value == 1000


async def test_nothing_is_accepted_before_the_start() -> None:
    """The kernel keeps it."""
    async with bench() as given:
        with given.clients(1):
            await asyncio.sleep(0.01)
            assert given.server.protocols == []
            given.acceptor.start()
            await given.until_made(1)


async def test_connections_above_the_cap_are_closed() -> None:
    """They are counted, and no protocol is made for them."""
    async with bench(cap=2) as given:
        given.acceptor.start()
        with given.clients(5) as clients:
            await given.until_made(2)
            for client in clients[2:]:
                client.settimeout(10)
                assert await asyncio.to_thread(client.recv, 1) == b""
        assert (given.accepted, given.rejected()) == (2, 3)
        assert len(given.server.protocols) == 2


async def test_closing_sweeps_the_queue() -> None:
    """More than one batch that nobody had accepted: each gets its protocol, then nobody else."""
    async with bench() as given:
        count = 2 * BATCH + 5
        with given.clients(count):
            await given.acceptor.close()
            assert given.accepted == count
            assert given.listener.fileno() < 0
        await given.acceptor.close()


@pytest.mark.parametrize("number", sorted(module.GONE))
async def test_a_connection_that_is_gone_hides_nobody_behind_it(number: int) -> None:
    """Not even from the last sweep."""
    async with bench(1000, number) as given:
        with given.clients(2):
            await given.acceptor.close()
            assert given.accepted == 2


@pytest.mark.parametrize("number", sorted(module.FULL))
async def test_a_full_machine_is_a_pause(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted; and then it goes on, with everybody who waited."""
    monkeypatch.setattr(module, "PAUSE", 0.01)
    async with bench(1000, number, number) as given:
        given.acceptor.start()
        with given.clients(2):
            await given.until_made(2)
        assert given.pauses == 2


async def test_a_machine_that_stays_full_does_not_fill_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every pause is counted, and one a second is told."""
    monkeypatch.setattr(module, "PAUSE", 0.001)
    async with bench(1000, *[errno.EMFILE] * 5) as given:
        with capture_logs() as events, given.clients(1):
            given.acceptor.start()
            await given.until_made(1)
            assert given.pauses == 5
            assert [event["event"] for event in events] == ["accept paused"]
            monkeypatch.setattr(module, "TELL", 0.0)
            given.listener.faults = [OSError(errno.EMFILE, "full")]
            with given.clients(1):
                await given.until_made(2)
        assert len(events) == 2


async def test_a_pause_does_not_outlast_the_close(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither one from before nor one that the sweep itself runs into."""
    monkeypatch.setattr(module, "PAUSE", 0.01)
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    async with bench(1000, errno.EMFILE, errno.EMFILE) as given:
        given.acceptor.start()
        with given.clients(1):
            await soon(lambda: given.pauses)
            await given.acceptor.close()
            assert given.pauses == 2
            await asyncio.sleep(0.05)  # the time in which a forgotten pause would end
    assert failures == []


async def test_any_other_error_is_loud() -> None:
    """Somebody must act."""
    async with bench(1000, errno.EBADF) as given:
        with given.clients(1), pytest.raises(OSError, match="Bad file descriptor"):
            await given.acceptor.close()
        given.acceptor._suspend()


@pytest.mark.parametrize(
    "held, elsewhere, state, steps_back",
    [
        (100, 50, State.READY, True),
        (100, 95, State.READY, False),
        (4, 0, State.READY, False),
        (5, 0, State.READY, True),
        (100, 50, State.DRAINING, False),
        (100, 50, State.FREE, False),
    ],
)
async def test_the_busier_worker_steps_back_once(
    held: int,
    elsewhere: int,
    state: State,
    steps_back: bool,  # noqa: FBT001
) -> None:
    """For two milliseconds, if the idlest that serves holds clearly less; then it takes all."""
    async with bench() as given:
        for number in range(held):
            given.server.open.expect(number)
        given.other.connections = elsewhere
        given.other._state = float(state)
        with given.clients(1):
            given.acceptor._readable()
            assert len(given.server.protocols) == (not steps_back)
            given.acceptor._readable()
            assert len(given.server.protocols) == 1


async def test_a_connection_that_fails_to_be_handed_over_is_counted() -> None:
    """It was reset while it waited; it takes nobody's place."""

    async def fail(*_: object) -> None:
        raise OSError(errno.ENOTCONN, "on purpose")

    async with bench() as given:
        given.acceptor._loop = _Failing(fail)  # type: ignore[assignment]  # what it asks
        with given.clients(1):
            given.acceptor._accept_batch()
            assert len(given.server.open) == 1
            await soon(lambda: given.rejected("reset"))
        assert (given.accepted, len(given.server.open)) == (0, 0)
        given.acceptor._loop = asyncio.get_running_loop()


class _Failing:
    """A loop that cannot take a connection over."""

    def __init__(self, fail: object) -> None:
        self.connect_accepted_socket = fail
        self.create_task = asyncio.get_running_loop().create_task
        self.time = asyncio.get_running_loop().time


@pytest.mark.parametrize(
    "wanted, soft, expected",
    [
        (10_000, 20_000, 10_000),
        (10_000, 1024, 1024 - RESERVED_DESCRIPTORS),
        (10_000, 10, 1),
        (10_000, resource.RLIM_INFINITY, 10_000),
    ],
)
def test_the_cap_is_what_descriptors_allow(
    monkeypatch: pytest.MonkeyPatch, wanted: int, soft: int, expected: int
) -> None:
    """One connection at least."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, soft))
    assert connection_cap(wanted) == expected
