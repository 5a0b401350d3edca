"""The acceptor: the one place where connections enter, for every service.

It takes connections from the supervisor's listener and hands them to the server's protocols. Its
cap acts before descriptors run out, because a loop that meets EMFILE closes the whole queue
(libuv) or spins (asyncio).
"""

import asyncio
import errno
import math
import resource
import socket
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from bellbuoy import timeouts
from bellbuoy.host.families import ACCEPT_PAUSES, ACCEPTED, ACTIVE, LIMIT, REJECTED
from bellbuoy.host.proxies import Proxies
from bellbuoy.host.service import Server
from bellbuoy.host.tls import HANDSHAKE, SHUTDOWN
from bellbuoy.instruments import Instruments
from bellbuoy.proxyprotocol import Malformed
from bellbuoy.scoreboard import Slot

BATCH = 64
"""Connections taken at one go, so that a burst does not starve those already open."""

SWEEP = 65_536 // BATCH
"""Batches of the last sweep at most: no queue is longer, and a flood must not go on for ever."""

STEP_BACK = 0.002
"""Seconds for which a busier worker leaves the queue to others, once for each wake-up. Stepping
back without a bound would deadlock when nobody else takes them."""

PAUSE = 0.1
"""Seconds without accepting after the machine said it is full."""

TELL = 1.0
"""Seconds at least between two log lines that say so; the counter counts every pause."""

RESERVED_DESCRIPTORS = 64
"""Kept for the database, logs and the loop itself."""

FULL = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""What accept(2) answers when the machine is out of something; wait and go on."""

GONE = frozenset(
    {
        errno.ECONNABORTED,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENONET,
        errno.ENOPROTOOPT,
        errno.EOPNOTSUPP,
        errno.EPERM,
        errno.EPROTO,
    }
)
"""What it answers for a connection that is lost already, or that a firewall forbids; there may
be others behind it (accept(2), "Error handling")."""

_log = structlog.get_logger("bellbuoy.host.acceptor")


def connection_cap(wanted: int) -> int:
    """Return how many connections a process may hold: ``wanted``, or what descriptors allow."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, soft - RESERVED_DESCRIPTORS))


@dataclass(frozen=True)
class Caps:
    """How many connections are held at once; one more is closed and counted.

    Args:
        connections: By this worker.
        per_peer: From one address; 0 is no limit.
    """

    connections: int
    per_peer: int = 0


class Acceptor:
    """Takes connections from one listener for one server.

    Args:
        listener: Non-blocking and listening; closed by :meth:`close`.
        server: Gets a protocol for each connection.
        slot: This worker's place, where its load is shown.
        neighbours: The slots of the other workers on the same listener.
        caps: Connections held at once.
    """

    def __init__(
        self,
        listener: socket.socket,
        server: Server,
        slot: Slot,
        neighbours: Sequence[Slot],
        instruments: Instruments,
        caps: Caps,
    ) -> None:
        """Accept nothing yet."""
        self._listener = listener
        self._server = server
        self._slot = slot
        self._neighbours = [other for other in neighbours if other is not slot]
        self._caps = caps
        self._connections = server.connections
        self._loop = asyncio.get_running_loop()
        self._handovers: set[asyncio.Task[None]] = set()
        self._accepted = instruments.counter(ACCEPTED)
        self._rejected = {
            reason: instruments.counter(REJECTED, reason=reason)
            for reason in REJECTED.labels["reason"]
        }
        self._pauses = instruments.counter(ACCEPT_PAUSES)
        self._active = instruments.gauge(ACTIVE)
        instruments.gauge(LIMIT).set(caps.connections)
        instruments.before_flush(self._show_load)
        self._timer: asyncio.TimerHandle | None = None
        self._stepped_back = False
        self._told = -math.inf

    def start(self) -> None:
        """Begin to accept."""
        self._loop.add_reader(self._listener.fileno(), self._readable)

    async def close(self) -> None:
        """Accept what the kernel has queued, then stop listening; idempotent."""
        if self._listener.fileno() < 0:
            return
        self._suspend()
        for _ in range(SWEEP):
            if not self._accept_batch():
                break
            await asyncio.sleep(0)
        self._suspend()  # the last batch may have ended in a pause
        self._listener.close()
        await self._settle()

    async def _settle(self) -> None:
        """Wait for those who are being handed over, and refuse who takes too long."""
        deadline = self._loop.time() + timeouts.SETTLE
        while self._handovers and (left := deadline - self._loop.time()) > 0:
            await asyncio.wait(self._handovers, timeout=left)
        late = tuple(self._handovers)
        for handover in late:
            handover.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _readable(self) -> None:
        if not self._stepped_back and self._is_busier():
            self._stepped_back = True
            self._rest(STEP_BACK)
        else:
            self._stepped_back = False
            self._accept_batch()

    def _is_busier(self) -> bool:
        others = [slot.connections for slot in self._neighbours if slot.serves]
        # An eighth more than the idlest, and a few: below that, evening out costs more than it
        # gives.
        return bool(others) and len(self._connections) > min(others) * 1.125 + 4

    def _suspend(self) -> None:
        self._loop.remove_reader(self._listener.fileno())
        if self._timer is not None:
            self._timer.cancel()

    def _rest(self, seconds: float) -> None:
        self._suspend()
        self._timer = self._loop.call_later(seconds, self.start)

    def _accept_batch(self) -> bool:
        """Accept up to a batch; return whether there may be more."""
        for _ in range(BATCH):
            try:
                connection, address = self._listener.accept()
            except BlockingIOError:
                return False
            except OSError as error:
                if error.errno in GONE:
                    continue
                if error.errno not in FULL:
                    raise
                self._pause(error)
                return False
            self._admit(connection, address[0] if isinstance(address, tuple) else "")
        return True

    def _pause(self, error: OSError) -> None:
        self._pauses.inc()
        if (now := self._loop.time()) >= self._told + TELL:
            self._told = now
            _log.warning("accept paused", reason=error.strerror, seconds=PAUSE)
        self._rest(PAUSE)

    def _admit(self, connection: socket.socket, peer: str) -> None:
        connection.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        proxies = self._server.proxies
        if len(self._connections) >= self._caps.connections:
            self._refuse(connection, "limit")
        elif proxies is None:
            self._welcome(connection, peer)
        elif proxies.trusts(peer):
            self._connections.expect(connection)
            self._start(self._introduce(connection, peer, proxies))
        else:
            self._refuse(connection, "proxy")

    def _refuse(self, connection: socket.socket, reason: str) -> None:
        self._rejected[reason].inc()
        connection.close()

    async def _introduce(self, connection: socket.socket, peer: str, proxies: Proxies) -> None:
        """Learn from a proxy who its client is, before anything else is read."""
        try:
            source = await proxies.source(connection)
        except (OSError, Malformed, asyncio.CancelledError):
            self._refuse(connection, "proxy")
            return
        finally:
            self._connections.discard(connection)
        self._welcome(connection, source or peer)

    def _welcome(self, connection: socket.socket, peer: str) -> None:
        per_peer = self._caps.per_peer
        if per_peer and self._connections.of_peer(peer) >= per_peer:
            self._refuse(connection, "peer_limit")
            return
        protocol = self._server.protocol()
        self._connections.expect(protocol, peer if per_peer else "")
        self._start(self._hand_over(connection, protocol))
        self._slot.connections = len(self._connections)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        # The loop holds tasks weakly.
        handover = self._loop.create_task(work)
        self._handovers.add(handover)
        handover.add_done_callback(self._handovers.discard)

    async def _hand_over(self, connection: socket.socket, protocol: asyncio.BaseProtocol) -> None:
        """Make the connection the server's; with TLS, that takes as long as the handshake."""
        tls = self._server.tls
        handshake = {
            "ssl": tls,
            "ssl_handshake_timeout": HANDSHAKE,
            "ssl_shutdown_timeout": SHUTDOWN,
        }
        options: dict[str, Any] = handshake if tls else {}
        try:
            await self._loop.connect_accepted_socket(lambda: protocol, connection, **options)
        except (OSError, asyncio.CancelledError):
            # Who fails or dawdles over a handshake is no error of ours. Its transport has taken
            # the socket; otherwise it was reset while it waited, and there is no transport.
            if not tls:
                connection.close()
        if self._connections.forsake(protocol):
            self._rejected["tls" if tls else "reset"].inc()
        else:
            self._accepted.inc()

    def _show_load(self) -> None:
        self._slot.connections = len(self._connections)
        self._active.set(len(self._connections))
