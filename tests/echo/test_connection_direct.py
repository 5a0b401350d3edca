"""One echo connection between a real kernel that is full at times and a transport."""

from collections.abc import Iterator

import pytest

from echo.connection import EchoConnection
from tests.echo.joined import Registry
from tests.echo.wire import Wire


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A connection that was just made."""
    made = Wire(EchoConnection(Registry(), 4000))
    yield made
    made.close()


def sweep(wire: Wire) -> None:
    """Look as the server does: quiet is what the transport holds nothing of."""
    wire.connection.is_touched = bool(wire.transport.held)


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
    sweep(wire)
    while wire.transport.held:
        wire.transport.move()
        wire.read()
    assert wire.came == big + b"behind"
    wire.connection.data_received(b"not swept yet")
    assert wire.transport.held == b"not swept yet"
    wire.transport.move()
    sweep(wire)
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
