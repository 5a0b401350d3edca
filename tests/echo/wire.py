"""One echo connection between a real kernel, which is full at times, and a transport."""

import asyncio
import fcntl
import socket
import struct
import termios
from contextlib import suppress

from echo.connection import EchoConnection
from tests.echo.transports import Transport

SMALL = 4096
"""Bytes after which the kernel is full; it takes a few more."""


class Plain(Transport):
    """Without TLS: what it is given it holds until it is told to move it.

    It keeps the contract of a loop: it tells of both marks, says FIN and closes behind the last
    byte, and takes nothing from who has said that this was all.

    Attributes:
        ours: The socket.
        held: What the kernel was not given yet.
        is_lost: Whether its protocol was told of the end.
    """

    def __init__(self, ours: socket.socket) -> None:
        """Belong to a socket."""
        super().__init__()
        self.ours = ours
        self.held = bytearray()
        self.is_lost = False
        self._reads = True
        self._is_full = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Hold it."""
        assert not self.is_closing(), "it is written to after its end"
        assert "write_eof" not in self.asked, "it is written to after its FIN"
        self.held += data
        self._tell()

    def get_write_buffer_size(self) -> int:
        """Return what it holds."""
        return len(self.held)

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Return the socket."""
        return self.ours if name == "socket" else default

    def is_reading(self) -> bool:
        """Return whether what comes is to be handed over."""
        return self._reads

    def pause_reading(self) -> None:
        """Hand over nothing."""
        super().pause_reading()
        self._reads = False

    def resume_reading(self) -> None:
        """Hand over what comes."""
        assert not self.is_closing(), "it is read from after its end"
        super().resume_reading()
        self._reads = True

    def write_eof(self) -> None:
        """Send FIN behind the last byte."""
        super().write_eof()
        self._say_fin()

    def close(self) -> None:
        """Be lost once everything is sent."""
        super().close()
        self._reads = False

    def abort(self) -> None:
        """Be lost, and what is held with it."""
        super().abort()
        self._reads = False
        self.held.clear()

    def move(self) -> None:
        """Hand to the kernel what that takes."""
        with suppress(BlockingIOError):
            while self.held:
                del self.held[: self.ours.send(self.held)]
        if not self.is_lost:
            self._say_fin()
            self._tell()

    def end_turn(self) -> None:
        """Let the loop turn: what was closed and holds nothing is lost."""
        if self.is_closing() and not self.held and not self.is_lost:
            self.is_lost = True
            assert isinstance(self.protocol, asyncio.Protocol)
            self.protocol.connection_lost(None)
            self.ours.close()

    def _say_fin(self) -> None:
        if "write_eof" in self.asked and not self.held:
            self.ours.shutdown(socket.SHUT_WR)

    def _tell(self) -> None:
        high, low = self.limits
        assert isinstance(self.protocol, asyncio.Protocol)
        assert high is not None
        assert low is not None
        if not self._is_full and len(self.held) > high:
            self._is_full = True
            self.protocol.pause_writing()
        elif self._is_full and len(self.held) <= low:
            self._is_full = False
            self.protocol.resume_writing()


class Wire:
    """An echo connection, its transport, and the client's end.

    Attributes:
        came: What the client has read.
        has_fin: Whether it has read to the end.
    """

    def __init__(self, connection: EchoConnection) -> None:
        """Be connected."""
        ours, self.client = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        ours.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        self.client.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        self.connection = connection
        self.transport = Plain(ours)
        self.transport.set_protocol(connection)
        connection.connection_made(self.transport)
        self.came = b""
        self.has_fin = False

    @property
    def delivered(self) -> int:
        """Bytes that the kernel was given, read or not."""
        waiting = fcntl.ioctl(self.client, termios.FIONREAD, bytes(4))
        return len(self.came) + int(struct.unpack("i", waiting)[0])

    def receive(self, data: bytes) -> bool:
        """Hand over what the client sent; return whether that is to be echoed."""
        reader = self.transport.protocol
        assert isinstance(reader, asyncio.Protocol)
        reader.data_received(data)
        return reader is self.connection

    def say_fin(self) -> None:
        """Hand over the client's FIN; who does not object is closed."""
        reader = self.transport.protocol
        assert isinstance(reader, asyncio.Protocol)
        if not reader.eof_received():
            self.transport.close()

    def read(self) -> None:
        """The client reads all there is."""
        with suppress(BlockingIOError):
            while data := self.client.recv(65536):
                self.came += data
            self.has_fin = True

    def close(self) -> None:
        """Release both ends."""
        self.transport.ours.close()
        self.client.close()
