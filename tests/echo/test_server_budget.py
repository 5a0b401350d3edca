"""The echo server's budget: what all clients together have not read yet."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echo.connection import EchoConnection
from echo.families import CLOSED, RECEIVED, SENT
from tests.echo.serving import SETTINGS, Bench
from tests.echo.transports import Transport

BUDGET = 1000


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


Step = tuple[int, int, bool]
STEPS = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 700), st.booleans()), max_size=40)


@settings(deadline=None)
@given(steps=STEPS)
async def test_the_budget_is_kept(steps: list[Step]) -> None:
    """At every moment, whoever sends and reads; and nobody is counted who is gone."""
    full = Full()
    several = [full.stall() for _ in range(10)]
    lost = 0

    def end_turn() -> None:
        nonlocal lost
        for number, (connection, transport) in enumerate(several):
            if transport.asked:
                lost += connection.unsent
                transport.unsent = 0
                connection.connection_lost(None)
                several[number] = full.stall()
        full.server.sweep()
        full.now += 1

    for number, size, sends in steps:
        connection, transport = several[number]
        if not sends:
            transport.unsent = max(0, transport.unsent - size)
        elif not transport.asked:
            connection.data_received(b"x" * size)
        if size % 5 == 0:
            end_turn()
        assert sum(transport.unsent for _, transport in several) <= BUDGET * 1.25
    end_turn()
    for connection, transport in several:
        transport.unsent = 0
        connection.connection_lost(None)
    assert full.count(RECEIVED) - full.count(SENT) == lost
