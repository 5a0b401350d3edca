"""How one echo connection ends: finished in order, closed, or cut."""

import asyncio
import socket

import pytest

from bellbuoy import timeouts
from tests.echo.joined import Bench, bench

__all__ = ["bench"]


def test_a_finished_connection_reads_on_and_echoes_nothing(bench: Bench) -> None:
    """FIN goes out after what was read; what comes is read and forgotten, until its FIN."""
    bench.connection.data_received(b"before")
    bench.connection.pause_writing()
    bench.connection.finish("drain")
    assert bench.transport.asked == ["pause_reading", "resume_reading", "write_eof"]
    discarding = bench.transport.protocol
    assert isinstance(discarding, asyncio.Protocol)
    discarding.pause_writing()
    discarding.data_received(b"after")
    assert bench.transport.wrote == b"before"
    assert bench.connection.received == 6
    assert discarding.eof_received() is None, "a FIN closes the transport"
    discarding.connection_lost(None)
    assert bench.registry.ends == [("drain", None, 0)]


def test_finishing_a_closing_connection_changes_nothing(bench: Bench) -> None:
    """Its end is on its way."""
    bench.connection.close("idle_timeout")
    bench.connection.finish("drain")
    assert bench.transport.asked == ["close"]
    assert bench.connection.reason == "idle_timeout"


def test_finishing_a_reset_connection_ends_it(bench: Bench) -> None:
    """And raises nothing: the others are to be finished, too."""
    bench.transport.has_reset = True
    bench.connection.finish("drain")
    assert bench.transport.asked[-1] == "abort"


def test_a_client_that_has_got_everything_has_a_while_for_its_fin(bench: Bench) -> None:
    """Then the connection is closed."""
    bench.connection.finish("drain")
    bench.connection.linger(10.0)
    bench.connection.linger(10.0 + timeouts.LINGER - 0.1)
    assert not bench.transport.is_closing()
    bench.connection.linger(10.0 + timeouts.LINGER)
    assert bench.transport.is_closing()


def test_a_client_that_still_reads_is_waited_for(bench: Bench) -> None:
    """However long that takes; its while begins when it has got everything."""
    bench.connection.finish("drain")
    for unsent in (300, 200, 100):
        bench.transport.unsent = unsent
        bench.connection.linger(100.0 - unsent / 10)
    assert bench.connection.quiet_since == 90.0, "it got on"
    bench.transport.unsent = 0
    bench.connection.linger(100.0)
    assert not bench.transport.is_closing()
    bench.connection.linger(100.0 + timeouts.LINGER)
    assert bench.transport.is_closing()


def test_with_tls_it_says_close_notify_and_reads_on(bench: Bench) -> None:
    """There is no FIN to send alone."""
    bench.transport.half_closes = False
    bench.connection.finish("max_age")
    bench.connection.linger(10.0)
    asked = ["resume_reading", "pause_reading", "unwrap", "resume_reading"]
    assert bench.transport.asked == asked
    bench.connection.finish("drain")
    bench.connection.linger(10.1)
    assert bench.transport.asked == asked, "once"
    bench.connection.linger(10.0 + timeouts.LINGER)
    assert bench.transport.asked == [*asked, "abort"]
    assert bench.connection.reason == "max_age"


def test_a_closing_connection_is_not_closed_again(bench: Bench) -> None:
    """With TLS that would break it; and its end has the first reason."""
    bench.transport.half_closes = False
    bench.connection.close("idle_timeout")
    bench.connection.close("idle_timeout")
    bench.connection.linger(10.0)
    bench.connection.linger(10.0 + timeouts.LINGER)
    assert bench.transport.asked == ["close", "abort"]


def test_with_tls_close_notify_waits_until_everything_is_sent(bench: Bench) -> None:
    """What is said after it would not be read."""
    bench.transport.half_closes = False
    bench.transport.unsent = 100
    bench.connection.finish("drain")
    bench.connection.linger(10.0)
    assert "unwrap" not in bench.transport.asked
    bench.transport.unsent = 0
    bench.connection.linger(11.0)
    assert "unwrap" in bench.transport.asked
    assert not bench.transport.is_closing()


@pytest.mark.parametrize(
    "reason, is_gone, is_reset",
    [
        ("write_timeout", False, True),
        ("half_close_timeout", False, True),
        ("half_close_timeout", True, False),
        ("abort", False, False),
    ],
)
def test_a_client_that_had_its_time_is_reset(
    bench: Bench,
    reason: str,
    is_gone: bool,  # noqa: FBT001
    is_reset: bool,  # noqa: FBT001
) -> None:
    """A FIN would say that this was everything; in a drain it says nothing of the kind."""
    bench.transport.has_reset = is_gone
    bench.connection.abort(reason)
    assert bench.transport.asked == ["abort"]
    assert (socket.SO_LINGER in bench.transport.options) == is_reset


RESET = ConnectionResetError()


@pytest.mark.parametrize(
    "reason, error, expected",
    [
        ("client", None, ("client", 0)),
        ("client", RESET, ("error", 50)),
        ("idle_timeout", None, ("idle_timeout", 0)),
        ("drain", None, ("drain", 0)),
        ("drain", RESET, ("drain", 50)),
        ("write_timeout", None, ("write_timeout", 50)),
        ("half_close_timeout", None, ("half_close_timeout", 50)),
        ("max_age", None, ("max_age", 0)),
        ("abort", None, ("abort", 50)),
    ],
)
def test_the_end_has_one_reason(
    bench: Bench, reason: str, error: BaseException | None, expected: tuple[str, int]
) -> None:
    """A close in order comes after the last byte; what else is lost is as last counted."""
    bench.connection.unsent = 50
    bench.connection.reason = reason
    bench.connection.connection_lost(error)
    assert bench.registry.ends == [(expected[0], error, expected[1])]
