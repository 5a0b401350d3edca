"""The acceptor: what it takes, what it refuses, and what it does when accept(2) fails."""

import asyncio
import errno
import os
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager

import pytest

from bellbuoy import timeouts
from bellbuoy.host import acceptor as module
from bellbuoy.host.acceptor import (
    BATCH,
    RESERVED_DESCRIPTORS,
    Acceptor,
    Caps,
    connection_cap,
)
from bellbuoy.host.families import ACCEPT_PAUSES, ACCEPTED, ACTIVE, FAMILIES, LIMIT, REJECTED
from bellbuoy.host.listeners import listen
from bellbuoy.host.proxies import Proxies
from bellbuoy.host.tls import TlsFiles
from bellbuoy.instruments import Instruments
from bellbuoy.lifecycle import State
from bellbuoy.metrics import Layout
from bellbuoy.scoreboard import Scoreboard
from tests.bellbuoy.host.services import Recorder
from tests.certificates import Authority, authority
from tests.waiting import soon

__all__ = ["authority"]


class Listener(socket.socket):
    """A listener whose accept(2) fails as often as it is told to."""

    faults: list[OSError]

    def accept(self) -> tuple[socket.socket, object]:
        """Fail, or accept."""
        if self.faults:
            raise self.faults.pop(0)
        return super().accept()


class Bench:
    """An acceptor on a real listener, with everything around it."""

    def __init__(self, listener: Listener, caps: Caps) -> None:
        """Accept nothing yet."""
        self.board = Scoreboard(FAMILIES, 3)
        self.own, self.other = self.board.workers
        for slot in self.board.workers:
            slot.take(admin=False)
        self.server = Recorder()
        self.instruments = Instruments(Layout(FAMILIES))
        self.listener = listener
        self.acceptor = Acceptor(
            listener, self.server, self.own, self.board.workers, self.instruments, caps
        )

    @contextmanager
    def clients(self, count: int) -> Iterator[list[socket.socket]]:
        """Connect so many; the kernel does not ask anybody for that."""
        clients = [socket.create_connection(self.listener.getsockname()) for _ in range(count)]
        try:
            yield clients
        finally:
            for client in clients:
                client.close()

    async def until_made(self, count: int) -> None:
        """Wait until so many protocols were made."""
        await soon(lambda: len(self.server.protocols) >= count)

    @property
    def pauses(self) -> float:
        """How often accepting was paused."""
        return self.instruments.counter(ACCEPT_PAUSES).value

    @property
    def accepted(self) -> float:
        """Connections handed over."""
        return self.instruments.counter(ACCEPTED).value

    def rejected(self, reason: str = "limit") -> float:
        """Return how many connections were refused."""
        return self.instruments.counter(REJECTED, reason=reason).value


@asynccontextmanager
async def bench(cap: int = 1000, *faults: int, per_peer: int = 0) -> AsyncIterator[Bench]:
    """Give an acceptor whose first calls of accept(2) fail with these errnos."""
    with closing(listen("127.0.0.1", 0, 4096, "BUOY_X_PORT")) as plain:
        listener = Listener(fileno=os.dup(plain.fileno()))
        listener.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        listener.faults = [OSError(number, os.strerror(number)) for number in faults]
        made = Bench(listener, Caps(cap, per_peer))
        yield made
        await made.acceptor.close()


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


async def test_one_address_gets_no_more_than_its_share() -> None:
    """What is too much is closed and counted; a place that gets free is given away again."""
    async with bench(per_peer=2) as given:
        given.acceptor.start()
        with given.clients(3) as clients:
            await soon(lambda: given.rejected("peer_limit") == 1 and given.accepted == 2)
            assert await asyncio.to_thread(clients[2].recv, 1) == b""
            with socket.socket() as other:
                other.bind(("127.0.0.2", 0))
                other.connect(given.listener.getsockname())
                await given.until_made(3)
            clients[0].close()
            await soon(lambda: given.server.open.of_peer("127.0.0.1") == 1)
            with given.clients(1):
                await given.until_made(4)
        assert given.rejected("peer_limit") == 1


async def test_a_proxy_is_believed_and_the_others_are_refused() -> None:
    """The client's address is what the limit for one address counts."""
    async with bench(per_peer=1) as given:
        given.server.trusted = Proxies("127.0.0.1", "BUOY_X")
        given.acceptor.start()
        with given.clients(3) as clients, socket.socket() as stranger:
            for client, source in zip(clients, "778", strict=True):
                client.sendall(f"PROXY TCP4 192.0.2.{source} 192.0.2.1 1 2\r\n".encode())
            await soon(lambda: given.rejected("peer_limit") == 1 and given.accepted == 2)
            stranger.bind(("127.0.0.2", 0))
            stranger.connect(given.listener.getsockname())
            stranger.sendall(b"PROXY UNKNOWN\r\n")
            await soon(lambda: given.rejected("proxy") == 1)
            assert len(given.server.protocols) == 2
            assert given.server.open.of_peer("192.0.2.7") == 1
            assert given.server.open.of_peer("127.0.0.1") == 0


async def test_who_is_still_being_introduced_counts() -> None:
    """Otherwise silence would be a way around the cap."""
    async with bench(cap=2) as given:
        given.server.trusted = Proxies("127.0.0.1", "BUOY_X")
        given.acceptor.start()
        with given.clients(3):
            await soon(lambda: given.rejected() == 1)
            assert (len(given.server.open), given.server.protocols) == (2, [])


async def test_who_does_not_introduce_himself_does_not_stop_the_close(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """He is refused; who has done so within the time is served."""
    monkeypatch.setattr(timeouts, "SETTLE", 0.2)
    async with bench() as given:
        given.server.trusted = Proxies("127.0.0.1", "BUOY_X")
        with given.clients(2) as clients:
            clients[0].sendall(b"PROXY UNKNOWN\r\n")
            async with asyncio.timeout(4):  # less than the header may take
                await given.acceptor.close()
            assert (given.accepted, given.rejected("proxy")) == (1, 1)
        await soon(lambda: not len(given.server.open))


async def test_a_handshake_has_its_time(
    monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    """Silence is counted and forgotten; while it lasts, it counts towards the cap."""
    monkeypatch.setattr(module, "HANDSHAKE", 0.05)
    async with bench(cap=1) as given:
        given.server.context = TlsFiles(authority.certificate, authority.key).load()
        given.acceptor.start()
        with given.clients(1) as clients:
            await given.until_made(1)
            assert len(given.server.open) == 1
            await soon(lambda: given.rejected("tls") == 1)
            assert await asyncio.to_thread(clients[0].recv, 1) == b""
        assert (given.accepted, len(given.server.open)) == (0, 0)


async def test_a_handshake_does_not_stop_the_close(
    monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    """Whoever has not finished it by then is refused."""
    monkeypatch.setattr(timeouts, "SETTLE", 0.05)
    async with bench() as given:
        given.server.context = TlsFiles(authority.certificate, authority.key).load()
        with given.clients(1) as clients:
            async with asyncio.timeout(4):  # less than the handshake may take
                await given.acceptor.close()
            assert (given.rejected("tls"), len(given.server.open)) == (1, 0)
            assert await asyncio.to_thread(clients[0].recv, 1) == b""


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
