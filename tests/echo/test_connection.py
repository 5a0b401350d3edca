"""One echo connection, on a transport that keeps account."""

import asyncio
import socket

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from echo.connection import EchoConnection
from tests.echo.transports import Transport


class Registry:
    """Notes what a connection tells."""

    def __init__(self) -> None:
        """Have heard nothing."""
        self.heard: list[str] = []
        self.ends: list[tuple[str, BaseException | None, int]] = []

    def made(self, _: EchoConnection, /) -> None:
        """It is there."""
        self.heard.append("made")

    def half_closed(self, _: EchoConnection, /) -> None:
        """It says no more."""
        self.heard.append("half_closed")

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
        self.connection = EchoConnection(self.registry, 4000)
        self.connection.connection_made(self.transport)
        assert self.registry.heard.pop() == "made"


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


def test_a_client_that_has_got_everything_has_one_linger_for_its_fin(bench: Bench) -> None:
    """Then the connection is closed."""
    bench.connection.finish("drain")
    assert not bench.transport.is_closing()
    bench.connection.end_linger()
    assert bench.transport.is_closing()


def test_a_client_that_still_reads_is_waited_for(bench: Bench) -> None:
    """However many lingers that takes; its own begins when it has got everything."""
    bench.transport.unsent = 100
    bench.connection.finish("drain")
    for _ in range(3):
        bench.connection.end_linger()
    bench.transport.unsent = 0
    bench.connection.end_linger()
    assert not bench.transport.is_closing()
    bench.connection.end_linger()
    assert bench.transport.is_closing()


def test_with_tls_it_says_close_notify_and_reads_on(bench: Bench) -> None:
    """There is no FIN to send alone."""
    bench.transport.half_closes = False
    bench.connection.finish("max_age")
    asked = ["resume_reading", "pause_reading", "unwrap", "resume_reading"]
    assert bench.transport.asked == asked
    bench.connection.finish("drain")
    assert bench.transport.asked == asked, "once"
    bench.connection.end_linger()
    assert bench.transport.asked == [*asked, "close"]
    assert bench.connection.reason == "max_age"


def test_with_tls_close_notify_waits_until_everything_is_sent(bench: Bench) -> None:
    """What is said after it would not be read."""
    bench.transport.half_closes = False
    bench.transport.unsent = 100
    bench.connection.finish("drain")
    bench.connection.end_linger()
    assert "unwrap" not in bench.transport.asked
    bench.transport.unsent = 0
    bench.connection.end_linger()
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


def test_a_client_that_says_fin_too_early_is_watched(bench: Bench) -> None:
    """Only if anything is left to be sent."""
    bench.connection.eof_received()
    assert bench.registry.heard == []
    bench.transport.unsent = 1
    bench.connection.eof_received()
    assert bench.registry.heard == ["half_closed"]


class Echoing(RuleBasedStateMachine):
    """Whatever the loop and the client do in whatever order, the promises hold."""

    def __init__(self) -> None:
        """Be connected."""
        super().__init__()
        self.bench = Bench()
        self.sent = b""
        self.counted = 0

    @property
    def is_open(self) -> bool:
        """Whether the client is still echoed."""
        return self.bench.connection.reason == "client"

    @rule(data=st.binary(max_size=100))
    def receive(self, data: bytes) -> None:
        """The loop hands over what it read, to whoever reads now."""
        reader = self.bench.transport.protocol or self.bench.connection
        assert isinstance(reader, asyncio.Protocol)
        reader.data_received(data)
        if self.is_open:
            self.sent += data

    @rule(unsent=st.integers(0, 5000))
    def wait(self, unsent: int) -> None:
        """The client reads, or does not."""
        self.bench.transport.unsent = unsent

    @rule(slow=st.booleans())
    def press(self, slow: bool) -> None:  # noqa: FBT001
        """The loop says that a mark was passed."""
        (self.bench.connection.pause_writing if slow else self.bench.connection.resume_writing)()

    @rule()
    def sweep(self) -> None:
        """The server counts."""
        connection = self.bench.connection
        self.counted += connection.received
        connection.received = connection.messages = 0
        connection.is_touched = False

    @rule(tls=st.booleans(), gone=st.booleans())
    def finish(self, tls: bool, gone: bool) -> None:  # noqa: FBT001
        """It is to end."""
        self.bench.transport.half_closes = not tls
        self.bench.transport.has_reset = gone
        self.bench.connection.finish("drain")

    @rule()
    def linger(self) -> None:
        """Time passes in a drain."""
        if not self.is_open:
            self.bench.connection.end_linger()

    @rule()
    def say_fin(self) -> None:
        """The client has sent everything."""
        self.bench.connection.eof_received()

    @invariant()
    def what_was_read_was_written(self) -> None:
        """All of it and nothing else, and all of it is counted."""
        assert self.bench.transport.wrote == self.sent
        assert self.counted + self.bench.connection.received == len(self.sent)

    @invariant()
    def what_moved_is_announced(self) -> None:
        """Otherwise the sweep would miss it."""
        assert self.bench.connection.is_touched >= bool(self.bench.connection.received)


TestEchoing = Echoing.TestCase
TestEchoing.settings = settings(deadline=None, max_examples=50, stateful_step_count=30)

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


def test_a_connection_has_no_dictionary(bench: Bench) -> None:
    """Ten thousand idle ones are a promise about memory."""
    assert not hasattr(bench.connection, "__dict__")
