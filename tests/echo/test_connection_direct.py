"""One echo connection between a real kernel that is full at times and a transport."""

import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from echo.connection import EchoConnection
from tests.echo.joined import Registry
from tests.echo.transports import Transport

SMALL = 4096
"""Bytes after which the kernel is full; it takes a few more."""


class Plain(Transport):
    """Without TLS: what it is given it holds until it is told to move it."""

    def __init__(self, ours: socket.socket) -> None:
        """Belong to a socket."""
        super().__init__()
        self.ours = ours
        self.held = bytearray()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Hold it."""
        self.held += data

    def get_write_buffer_size(self) -> int:
        """Return what it holds."""
        return len(self.held)

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Return the socket."""
        return self.ours if name == "socket" else default

    def move(self) -> None:
        """Hand to the kernel what that takes."""
        with suppress(BlockingIOError):
            while self.held:
                del self.held[: self.ours.send(self.held)]


class Wire:
    """An echo connection, its transport, and the client's end."""

    def __init__(self) -> None:
        """Be connected."""
        ours, self.client = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        ours.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        self.client.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        self.transport = Plain(ours)
        self.connection = EchoConnection(Registry(), 4000)
        self.connection.connection_made(self.transport)
        self.came = b""

    def read(self) -> None:
        """The client reads all there is."""
        with suppress(BlockingIOError):
            while data := self.client.recv(65536):
                self.came += data

    def sweep(self) -> None:
        """As the server does it: quiet is what the transport holds nothing of."""
        self.connection.is_touched = bool(self.transport.held)

    def close(self) -> None:
        """Release both ends."""
        self.transport.ours.close()
        self.client.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A connection that was just made."""
    made = Wire()
    yield made
    made.close()


def test_what_the_kernel_takes_never_sees_the_transport(wire: Wire) -> None:
    """And is there at once."""
    wire.connection.data_received(b"at once")
    assert wire.client.recv(100) == b"at once"
    assert not wire.transport.held


def test_what_it_does_not_take_goes_the_long_way(wire: Wire) -> None:
    """And so does all that comes after it, until a sweep has seen the transport empty."""
    big = bytes(range(256)) * 1024
    wire.connection.data_received(big)
    assert 0 < len(wire.transport.held) < len(big)
    wire.read()
    wire.connection.data_received(b"behind")
    assert wire.transport.held.endswith(b"behind")
    wire.sweep()
    while wire.transport.held:
        wire.transport.move()
        wire.read()
    assert wire.came == big + b"behind"
    wire.connection.data_received(b"not swept yet")
    assert wire.transport.held == b"not swept yet"
    wire.transport.move()
    wire.sweep()
    wire.connection.data_received(b"direct")
    wire.read()
    assert wire.came.endswith(b"not swept yetdirect")


def test_a_client_that_is_gone_is_left_to_the_transport(wire: Wire) -> None:
    """Which meets the same error, and ends the connection for it."""
    wire.client.close()
    wire.connection.data_received(b"to nobody")
    assert wire.transport.held == b"to nobody"
    assert wire.connection.received == 9


def test_a_lost_connection_has_no_descriptor(wire: Wire) -> None:
    """Another one may have its number by now."""
    wire.connection.connection_lost(None)
    wire.connection.data_received(b"not for you")
    with pytest.raises(BlockingIOError):
        wire.client.recv(1)


class Filling(RuleBasedStateMachine):
    """Whoever is slow, and whenever the server looks: the bytes stay in order."""

    def __init__(self) -> None:
        """Be connected."""
        super().__init__()
        self.wire = Wire()
        self.sent = b""

    @rule(data=st.binary(min_size=1, max_size=9), times=st.sampled_from([1, 300, 3000]))
    def receive(self, data: bytes, times: int) -> None:
        """The client sends."""
        self.wire.connection.data_received(data * times)
        self.sent += data * times

    @rule()
    def read(self) -> None:
        """It reads."""
        self.wire.read()

    @rule()
    def move(self) -> None:
        """The loop finds the socket writable."""
        self.wire.transport.move()

    @rule()
    def sweep(self) -> None:
        """The server counts."""
        self.wire.sweep()

    def teardown(self) -> None:
        """All of it arrives."""
        while len(self.wire.came) < len(self.sent):
            before = len(self.wire.came)
            self.wire.transport.move()
            self.wire.read()
            assert len(self.wire.came) > before, "some of it is nowhere"
        assert self.wire.came == self.sent
        self.wire.close()


TestFilling = Filling.TestCase
TestFilling.settings = settings(deadline=None, max_examples=100, stateful_step_count=30)
