"""The echo server's budget: what all clients together have not read yet."""

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echo.connection import EchoConnection
from echo.families import CLOSED, RECEIVED, SENT
from tests.echo.serving import SETTINGS, Bench
from tests.echo.transports import Transport

BUDGET = 1000

Act = Callable[["Crowd", int, int], None]


class Holding(Transport):
    """Has a client that reads when the test says so; what it holds is free when it is lost."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Hold it."""
        super().write(data)
        self.unsent += len(data)


class Full(Bench):
    """A server with a small budget."""

    def __init__(self) -> None:
        """Hold nothing."""
        super().__init__(dataclasses.replace(SETTINGS, echo_write_budget_bytes=BUDGET))

    def stall(self) -> tuple[EchoConnection, Holding]:
        """Return a connection whose client does not read."""
        connection, transport = self.server.protocol(), Holding()
        connection.connection_made(transport)
        return connection, transport


@pytest.fixture
async def full() -> Full:
    """A server, in the test's loop."""
    return Full()


async def test_who_is_stalled_longest_is_cut_first(full: Full) -> None:
    """As many as it takes to be well below the budget; the newest stays."""
    several = [full.stall() for _ in range(4)]
    for connection, _ in several:
        connection.data_received(b"x" * 300)
        full.server.sweep()
        full.now += 1
    assert [transport.asked for _, transport in several] == [["abort"], [], [], []]
    oldest, _ = several[0]
    assert oldest.reason == "write_budget"
    for _, transport in several:
        transport.unsent = 0
    oldest.connection_lost(None)
    assert full.count(CLOSED, reason="write_budget") == 1
    full.server.sweep()
    assert (full.count(RECEIVED), full.count(SENT)) == (1200, 900)


async def test_of_two_that_stalled_together_the_larger_is_cut(full: Full) -> None:
    """It frees more."""
    (small, waits), (large, ends), (late, stays) = full.stall(), full.stall(), full.stall()
    small.data_received(b"x" * 300)
    large.data_received(b"x" * 500)
    late.data_received(b"x" * 300)
    assert (waits.asked, ends.asked, stays.asked) == ([], ["abort"], [])


async def test_what_was_sent_since_is_not_held(full: Full) -> None:
    """A client that reads what it is sent may be sent any amount."""
    connection, transport = full.stall()
    for _ in range(100):
        connection.data_received(b"x" * 300)
        transport.unsent = 0
    assert transport.asked == []


async def test_below_the_budget_nobody_is_cut(full: Full) -> None:
    """Up to the last byte."""
    several = [full.stall() for _ in range(10)]
    for connection, _ in several:
        connection.data_received(b"x" * 100)
    assert not any(transport.asked for _, transport in several)


async def test_a_stalled_client_does_not_cost_one_who_gets_on(full: Full) -> None:
    """However much more that one holds."""
    (slow, reads), (stalled, ends) = full.stall(), full.stall()
    stalled.data_received(b"x" * 100)
    slow.data_received(b"x" * 800)
    full.server.sweep()
    full.now += 1
    reads.unsent -= 10
    full.server.sweep()
    slow.data_received(b"x" * 150)
    assert ends.asked == ["abort"]


async def test_who_stalls_in_one_turn_has_one_budget(full: Full) -> None:
    """What is cut is free when the turn is over; until then a quarter more is held at most."""
    several = [full.stall() for _ in range(100)]
    for connection, _ in several:
        connection.data_received(b"x" * 100)
    assert sum(transport.unsent for _, transport in several) <= BUDGET * 1.25
    assert full.server.connections
    cut = [each for each in several if each[1].asked]
    for connection, transport in cut:
        transport.unsent = 0
        connection.connection_lost(None)
    full.server.sweep()
    assert full.count(RECEIVED) - full.count(SENT) == sum(each.unsent for each, _ in several)
    (_, waits), (late, stays) = several[-1], full.stall()
    late.data_received(b"x" * 100)
    assert (waits.asked, stays.asked) == (["abort"], []), "there is room again"


async def test_a_connection_is_cut_once(full: Full) -> None:
    """Though it is late in two ways at once; the first reason stands, the account is even."""
    connection, transport = full.stall()
    connection.data_received(b"x" * 100)
    connection.eof_received()
    full.server.sweep()
    full.now += 20
    full.server.expire()
    assert transport.asked == ["abort"]
    transport.unsent = 0
    connection.connection_lost(None)
    full.server.sweep()
    assert full.count(CLOSED, reason="write_timeout") == 1
    assert (full.count(RECEIVED), full.count(SENT)) == (100, 0)
    assert (full.server._held, full.server._condemned) == (0, 0)


class Crowd:
    """Four clients that send, read, say FIN and stall.

    Attributes:
        lost: Bytes of those who were cut that never reached them.
    """

    def __init__(self) -> None:
        """Be connected."""
        self.full = Full()
        self.several = [self.full.stall() for _ in range(4)]
        self.lost = 0

    @property
    def held(self) -> int:
        """What all transports hold."""
        return sum(transport.unsent for _, transport in self.several)

    def send(self, number: int, size: int) -> None:
        """A client sends."""
        connection, transport = self.several[number]
        if not transport.asked:
            connection.data_received(b"x" * size)

    def read(self, number: int, size: int) -> None:
        """It reads."""
        _, transport = self.several[number]
        transport.unsent = max(0, transport.unsent - size)

    def say_fin(self, number: int, _: int) -> None:
        """It sends no more."""
        self.several[number][0].eof_received()

    def end_turn(self, _: int = 0, size: int = 1) -> None:
        """Who was cut is gone; time passes."""
        for number, (connection, transport) in enumerate(self.several):
            if transport.asked:
                self.lost += connection.unsent
                transport.unsent = 0
                connection.connection_lost(None)
                self.several[number] = self.full.stall()
        self.full.server.sweep()
        self.full.now += size / 100
        self.full.server.expire()


ACTS = (Crowd.send, Crowd.read, Crowd.say_fin, Crowd.end_turn)
STEPS = st.lists(
    st.tuples(st.sampled_from(ACTS), st.integers(0, 3), st.sampled_from([1, 99, 300, 700, 1100])),
    max_size=40,
)


@settings(deadline=None)
@given(steps=STEPS)
async def test_the_budget_is_kept(steps: list[tuple[Act, int, int]]) -> None:
    """At every moment, whoever sends and reads; and nobody is counted who is gone."""
    crowd = Crowd()
    for act, number, size in steps:
        act(crowd, number, size)
        assert crowd.held <= BUDGET * 1.25
    crowd.end_turn()
    crowd.end_turn()
    for connection, transport in crowd.several:
        transport.unsent = 0
        connection.connection_lost(None)
    server = crowd.full.server
    assert crowd.full.count(RECEIVED) - crowd.full.count(SENT) == crowd.lost
    server.sweep()
    assert (server._held, server._condemned) == (0, 0)
