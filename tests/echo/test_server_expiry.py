"""What the echo server ends by itself: the quiet, the stalled, the half-closed and the old."""

import dataclasses

import pytest

from bellbuoy import timeouts
from echo.families import CLOSED, RECEIVED, SENT
from tests.echo.serving import SETTINGS, Bench, bench

__all__ = ["bench"]


async def test_a_quiet_connection_is_closed_at_the_idle_timeout(bench: Bench) -> None:
    """Not before; and movement begins it anew."""
    (_, quiet), (connection, lively) = bench.connect(), bench.connect()
    bench.now += 99
    connection.data_received(b"!")
    bench.server.sweep()
    bench.server.expire()
    assert (quiet.asked, lively.asked) == ([], [])
    bench.now += 1
    bench.server.expire()
    assert (quiet.asked, lively.asked) == (["close"], [])


async def test_a_stalled_reader_is_cut_at_the_write_timeout(bench: Bench) -> None:
    """What it was not sent is not counted as sent."""
    connection, transport = bench.connect()
    connection.data_received(b"x" * 100)
    transport.unsent = 60
    bench.server.sweep()
    bench.now += 9
    bench.server.sweep()
    bench.server.expire()
    assert transport.asked == []
    bench.now += 1
    bench.server.expire()
    assert transport.asked == ["abort"]
    connection.connection_lost(None)
    transport.unsent = 0
    bench.server.sweep()
    assert (bench.count(RECEIVED), bench.count(SENT)) == (100, 40)
    assert bench.count(CLOSED, reason="write_timeout") == 1


async def test_a_reader_that_gets_on_is_not_cut(bench: Bench) -> None:
    """However slowly."""
    connection, transport = bench.connect()
    connection.data_received(b"x" * 100)
    for unsent in range(60, 50, -1):
        transport.unsent = unsent
        bench.server.sweep()
        bench.now += 9
        bench.server.expire()
    assert transport.asked == []


async def test_what_moved_a_moment_ago_is_not_quiet(bench: Bench) -> None:
    """Though no sweep has seen it yet."""
    (connection, lively), (slow, waits) = bench.connect(), bench.connect()
    slow.data_received(b"x" * 100)
    waits.unsent = 60
    bench.server.sweep()
    bench.now += 100
    connection.data_received(b"!")
    waits.unsent = 50
    bench.server.expire()
    assert (lively.asked, waits.asked) == ([], [])


@pytest.mark.parametrize("error", [ConnectionResetError(), None])
async def test_what_a_lost_connection_dropped_is_not_sent(
    bench: Bench, error: BaseException | None
) -> None:
    """Though its transport holds nothing any more when a sweep looks; unless it was the last."""
    connection, transport = bench.connect()
    connection.data_received(b"x" * 100)
    transport.unsent = 60
    bench.server.sweep()
    transport.unsent = 0
    transport.close()
    bench.server.sweep()
    connection.connection_lost(error)
    assert bench.count(SENT) == (40 if error else 100)


async def test_a_client_that_said_fin_must_read_the_rest_in_time(bench: Bench) -> None:
    """Otherwise it is cut; one that had everything, or gets it in time, is nobody's business."""
    (slow, waits), (_, other) = bench.connect(), bench.connect()
    waits.unsent = 60
    slow.data_received(b"x" * 100)
    slow.eof_received()
    bench.now += 9
    bench.server.expire()
    assert waits.asked == []
    bench.now += 1
    bench.server.expire()
    assert (waits.asked, other.asked) == (["abort"], [])
    slow.connection_lost(None)
    assert (bench.count(RECEIVED), bench.count(SENT)) == (100, 40)
    assert bench.count(CLOSED, reason="half_close_timeout") == 1
    bench.server.expire()


async def test_a_connection_ends_at_its_age(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth more or less; finished in order, and closed when it says no FIN."""
    monkeypatch.setattr(timeouts, "LINGER", 3.0)
    bench = Bench(dataclasses.replace(SETTINGS, echo_max_age_seconds=50.0))
    made = [bench.connect() for _ in range(20)]
    bench.now += 44.9
    bench.server.expire()
    assert [transport.asked for _, transport in made] == [[]] * 20
    bench.now += 5
    bench.server.expire()
    ended = sum("write_eof" in transport.asked for _, transport in made)
    assert 0 < ended < 20
    bench.now += 5.2
    bench.server.expire()
    bench.server.expire()
    assert all(transport.asked.count("write_eof") == 1 for _, transport in made)
    bench.now += 3
    bench.server.expire()
    bench.now += 3
    bench.server.expire()
    assert all(transport.asked[-1] == "abort" for _, transport in made)
    for connection, _ in made:
        connection.connection_lost(None)
    assert bench.count(CLOSED, reason="max_age") == 20


async def test_an_old_connection_is_not_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is quiet because it was told to be; its end keeps its reason."""
    monkeypatch.setattr(timeouts, "LINGER", 1000.0)
    bench = Bench(dataclasses.replace(SETTINGS, echo_max_age_seconds=50.0))
    connection, transport = bench.connect()
    for seconds in (60, 100):
        bench.now += seconds
        bench.server.expire()
    assert transport.asked == ["resume_reading", "write_eof"]
    connection.connection_lost(None)
    assert bench.count(CLOSED, reason="max_age") == 1
