"""One echo connection, on a transport that keeps account."""

import asyncio

import pytest

from echo.connection import EchoConnection
from tests.echo.transports import Transport


class Registry:
    """Notes what a connection tells."""

    def __init__(self) -> None:
        """Have heard nothing."""
        self.heard: list[str] = []
        self.ends: list[tuple[str, BaseException | None, int]] = []

    def touched(self, _: EchoConnection, /) -> None:
        """Something moved."""
        self.heard.append("touched")

    def paused(self) -> None:
        """A client is slow."""
        self.heard.append("paused")

    def lost(self, connection: EchoConnection, error: BaseException | None, unsent: int, /) -> None:
        """It ended."""
        self.ends.append((connection.reason, error, unsent))


class Bench:
    """A connection and what is around it."""

    def __init__(self) -> None:
        """Be connected."""
        self.registry = Registry()
        self.transport = Transport()
        self.connection = EchoConnection(self.registry, 4000, 7.0)
        self.connection.connection_made(self.transport)


@pytest.fixture
def bench() -> Bench:
    """A connection that was just made."""
    return Bench()


def test_it_writes_what_it_reads(bench: Bench) -> None:
    """And counts it in its own integers; the server hears of it once for each sweep."""
    for data in (b"one", b"\x00two", b"three"):
        bench.connection.data_received(data)
    assert bench.transport.wrote == b"one\x00twothree"
    assert (bench.connection.received, bench.connection.messages) == (12, 3)
    assert bench.registry.heard == ["touched"]
    bench.connection.is_touched = False
    bench.connection.data_received(b"!")
    assert bench.registry.heard == ["touched", "touched"]


def test_both_marks_of_the_write_buffer_are_set(bench: Bench) -> None:
    """The loops disagree about the low one."""
    assert bench.transport.limits == (4000, 1000)


def test_a_slow_reader_is_not_read_from(bench: Bench) -> None:
    """Until it has read."""
    bench.connection.pause_writing()
    assert bench.transport.asked == ["pause_reading"]
    assert bench.registry.heard == ["paused"]
    bench.connection.resume_writing()
    assert bench.transport.asked == ["pause_reading", "resume_reading"]


def test_a_closing_connection_is_not_read_from_again(bench: Bench) -> None:
    """It would be an error on either loop."""
    bench.connection.close("idle_timeout")
    bench.connection.resume_writing()
    assert bench.transport.asked == ["close"]


def test_a_finished_connection_reads_on_and_echoes_nothing(bench: Bench) -> None:
    """FIN goes out after what was read; what comes is read and forgotten, until its FIN."""
    bench.connection.data_received(b"before")
    bench.connection.pause_writing()
    bench.connection.finish()
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
    bench.connection.finish()
    assert bench.transport.asked == ["close"]
    assert bench.connection.reason == "idle_timeout"


def test_finishing_a_reset_connection_ends_it(bench: Bench) -> None:
    """And raises nothing: the others are to be finished, too."""
    bench.transport.has_reset = True
    bench.connection.finish()
    assert bench.transport.asked[-1] == "abort"


def test_a_client_that_has_got_everything_has_one_linger_for_its_fin(bench: Bench) -> None:
    """Then the connection is closed."""
    bench.connection.finish()
    assert not bench.transport.is_closing()
    bench.connection.end_linger()
    assert bench.transport.is_closing()


def test_a_client_that_still_reads_is_waited_for(bench: Bench) -> None:
    """However many lingers that takes; its own begins when it has got everything."""
    bench.transport.unsent = 100
    bench.connection.finish()
    for _ in range(3):
        bench.connection.end_linger()
    bench.transport.unsent = 0
    bench.connection.end_linger()
    assert not bench.transport.is_closing()
    bench.connection.end_linger()
    assert bench.transport.is_closing()


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


def test_a_connection_has_no_dictionary(bench: Bench) -> None:
    """Ten thousand idle ones are a promise about memory."""
    assert not hasattr(bench.connection, "__dict__")
