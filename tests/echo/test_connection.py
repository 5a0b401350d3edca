"""One echo connection, on a transport that keeps account."""

import asyncio

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.echo.joined import Bench, bench

__all__ = ["bench"]


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


def test_what_may_not_wait_is_dropped(bench: Bench) -> None:
    """The server has cut the connection; the bytes count as received."""
    bench.registry.has_room = False
    bench.connection.data_received(b"too much")
    assert bench.transport.wrote == b""
    assert bench.connection.received == 8


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
        self.now = 0.0

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
            self.now += 1
            self.bench.connection.linger(self.now)

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


def test_a_connection_has_no_dictionary(bench: Bench) -> None:
    """Ten thousand idle ones are a promise about memory."""
    assert not hasattr(bench.connection, "__dict__")
