"""One echo connection: a protocol that writes what it reads.

Law of this file: no clock, no cell and no allocation per message, and as little memory as can be
while nothing moves. A connection counts what it moved since the last sweep in small integers of
its own; the sweep takes them away. What the kernel takes at once never sees the transport, whose
own write costs more: bench/echo has a bare protocol to compare.
"""

import asyncio
import socket
import ssl
import struct
from contextlib import suppress
from os import write
from typing import Protocol, cast

from bellbuoy import timeouts
from bellbuoy.host.sendqueue import unacknowledged

RESET = frozenset({"write_timeout", "write_budget", "half_close_timeout"})
"""Reasons for which it ends with RST: the client had its time, and a FIN after a part of the bytes
would look as if they were all."""

CUT = RESET | {"abort"}
"""Reasons for which it ends without sending what is unsent. At the end of a drain, what the kernel
holds still arrives: a prefix and FIN is what a drain promises."""

NO_LINGER = struct.pack("ii", 1, 0)
"""Makes close(2) send RST instead of FIN (socket(7), SO_LINGER)."""


class Registry(Protocol):
    """What a connection tells its server."""

    def made(self, connection: "EchoConnection", /) -> None:
        """A connection can be used from now on."""

    def touched(self, connection: "EchoConnection", /) -> None:
        """Something moved on a connection that was quiet since the last sweep."""

    def may_wait(self, connection: "EchoConnection", size: int, /) -> bool:
        """Return whether ``size`` bytes that the kernel refused may wait; if not, it is cut."""

    def paused(self) -> None:
        """A client reads slower than it writes."""

    def half_closed(self, connection: "EchoConnection", /) -> None:
        """A client sent its FIN before it read everything."""

    def lost(
        self, connection: "EchoConnection", error: BaseException | None, unsent: int, /
    ) -> None:
        """A connection ended with ``unsent`` bytes that never reached the kernel."""


class EchoConnection(asyncio.Protocol):
    """Echoes until the client has sent its FIN, then sends ours.

    Attributes:
        received: Bytes taken from the client since the last sweep, to be echoed.
        messages: Pieces in which they came.
        transport: Where they go; the server asks it how many are unsent.
        unsent: Bytes that were not handed to the kernel yet, as the server last counted them.
        is_touched: Whether anything moved since the last sweep.
        arrived: Loop time in seconds at which its client was seen to have got everything, once it
            is finished; 0 while it has not.
        quiet_since: Loop time in seconds at which something last moved, as sweeps saw it.
        deadline: Loop time in seconds at which it is old enough to be finished.
        reason: Why the connection ended, once that is known.
    """

    __slots__ = (
        "_descriptor",
        "_high_water",
        "_is_direct",
        "_left",
        "_registry",
        "arrived",
        "deadline",
        "is_touched",
        "messages",
        "quiet_since",
        "reason",
        "received",
        "transport",
        "unsent",
    )

    transport: asyncio.Transport

    def __init__(self, registry: Registry, high_water: int) -> None:
        """Belong to ``registry``.

        Args:
            registry: Told of what happens.
            high_water: Unsent bytes at which reading stops; it goes on at a quarter.
        """
        self._registry = registry
        self._high_water = high_water
        self.received = self.messages = self.unsent = self._left = 0
        self.quiet_since = self.deadline = self.arrived = 0.0
        self.is_touched = self._is_direct = False
        self._descriptor = -1
        self.reason = "client"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to echo."""
        self.transport = cast(asyncio.Transport, transport)
        # Both marks: uvloop's low one is 16 bytes unless it is told.
        self.transport.set_write_buffer_limits(self._high_water, self._high_water // 4)
        connection = transport.get_extra_info("socket")
        if connection is not None and transport.get_extra_info("ssl_object") is None:
            self._descriptor = connection.fileno()  # with TLS, only the transport can write
        self._registry.made(self)

    def data_received(self, data: bytes) -> None:
        """Write what was read: into the kernel, and through the transport what that refuses."""
        if not self.is_touched:
            self._touch()
        size = len(data)
        try:
            sent = write(self._descriptor, data) if self._is_direct else 0
        except OSError:  # it takes nothing now, or never again: the transport knows what to do
            sent = 0
        self.received += size
        self.messages += 1
        if sent != size and self._registry.may_wait(self, size - sent):
            self._is_direct = False
            self.transport.write(data[sent:])

    def pause_writing(self) -> None:
        """Read no more until the client has read."""
        self._registry.paused()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Read on."""
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def eof_received(self) -> None:
        """Let the transport send what is left, then FIN, and close; the server sets it a time."""
        if self.look():
            self._registry.half_closed(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Tell the server; a reset by the client is an end like any other."""
        if exc is not None and self.reason == "client":
            self.reason = "error"
        self._descriptor = -1  # it may be another connection's by now
        # An orderly close comes after the last byte; otherwise the last count must do.
        self._registry.lost(self, exc, self.unsent if exc or self.reason in CUT else 0)

    def look(self) -> int:
        """Return how many bytes the transport still has to hand to the kernel."""
        return self.transport.get_write_buffer_size()

    def finish(self, reason: str) -> None:
        """Echo what was read, send our FIN, and read on without echoing until the client's.

        Closing with unread bytes would reset the connection and destroy what the client has
        not read yet. With TLS, close_notify takes the place of FIN once everything is sent.
        """
        if self.reason != "client" or self.transport.is_closing():
            return
        self.reason = reason
        self.transport.set_protocol(_Discarding(self))
        try:
            self.transport.resume_reading()
            if self.transport.can_write_eof():
                self.transport.write_eof()
        except OSError:  # it was reset a moment ago, and the loop has not noticed yet
            self.transport.abort()

    def _touch(self) -> None:
        # A sweep found the transport empty, and nothing was read since.
        self.is_touched = True
        self._is_direct = self._descriptor >= 0
        self._registry.touched(self)

    def linger(self, now: float) -> None:
        """Close once the client has had everything for a while; to be asked now and then."""
        connection = self.transport.get_extra_info("socket")
        has_fin = self.transport.can_write_eof()
        # One of the bytes is our FIN, which its kernel acknowledges with the last of them.
        left = self.look() + max(0, unacknowledged(connection) - has_fin)
        if left < self._left:
            self.quiet_since = now
        self._left = left
        if left:
            self.arrived = 0.0
        elif not self.arrived:
            self.arrived = now
            if not has_fin:
                self._notify()
        elif now - self.arrived >= timeouts.LINGER:
            self.transport.abort()  # to close would wait for a client of TLS that says nothing

    def _notify(self) -> None:
        """Send close_notify and read on, which transports of TLS have no method for."""
        if self.transport.is_closing():
            return
        self.transport.pause_reading()
        with suppress(ssl.SSLError):  # it wants the client's answer, or there is something to read
            self.transport.get_extra_info("ssl_object").unwrap()
        self.transport.resume_reading()  # which also sends what unwrap() has written

    def close(self, reason: str) -> None:
        """Close once everything is sent, unless that is on its way."""
        if self.transport.is_closing():  # to close a transport of TLS twice breaks it
            return
        self.reason = reason
        self.transport.close()

    def abort(self, reason: str) -> None:
        """Close now; what is unsent is lost."""
        self.reason = reason
        connection = self.transport.get_extra_info("socket")
        if reason in RESET and connection is not None:
            with suppress(OSError):  # it may be gone already
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self.transport.abort()


class _Discarding(asyncio.Protocol):
    """Takes over a finishing connection: reads, and forgets what it reads.

    Neither mark of the write buffer matters any more, and a FIN closes the transport by itself.
    """

    def __init__(self, connection: EchoConnection) -> None:
        self._connection = connection

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connection.connection_lost(exc)
