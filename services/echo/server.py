"""The echo server of one worker: its connections, their sweep and their end."""

import asyncio
import ssl
import time
from random import Random

from bellbuoy.host import Connections, Server, Worker
from bellbuoy.host.proxies import Proxies
from bellbuoy.host.tls import Certificates
from bellbuoy.monitor import AsyncMonitor
from echo.age import Ages
from echo.connection import CUT, EchoConnection
from echo.families import CLOSED, DURATION, MESSAGES, PAUSES, RECEIVED, SENT
from echo.settings import EchoSettings

RELIEF = 0.75
"""Part of the budget for unsent bytes that is left full when it was exceeded: to cut one at a time
would mean to look at all of them for each."""

LOOK = 0.1
"""Seconds between two looks at who has got everything, in a drain."""

LAST_LOOK = 0.05
"""Seconds to read, once nobody else comes, what clients sent before we stop."""


class EchoServer(Server):
    """Keeps every connection, counts what they moved, and closes those that do not.

    Args:
        settings: Limits and timeouts.
        worker: Where to count.
        certificates: What handshakes use; ``None`` for plain text.
        proxies: Who speaks for the clients; ``None`` when they come themselves.
        random: Where the jitter of the maximum age comes from.
    """

    def __init__(
        self,
        settings: EchoSettings,
        worker: Worker,
        certificates: Certificates | None = None,
        proxies: Proxies | None = None,
        random: Random | None = None,
    ) -> None:
        """Hold no connection yet."""
        self._settings = settings
        self._certificates = certificates
        self._proxies = proxies
        # Nobody gains by guessing when a connection ends.
        self._ages = Ages(settings.echo_max_age_seconds, random or Random())  # noqa: S311
        self._connections: Connections[EchoConnection] = Connections()
        self._moved: list[EchoConnection] = []
        # The list's own method: a connection calls it once for each sweep.
        self.touched = self._moved.append
        # Unsent bytes of all connections: as last counted and what came since; and of those that
        # were cut and are not lost yet.
        self._held = self._condemned = 0
        # Half-closed, and when each is cut; and those that are finished, looked at now and then.
        self._half_closed: dict[EchoConnection, float] = {}
        self._finishing: set[EchoConnection] = set()
        self._loop = asyncio.get_running_loop()
        self._monitor: AsyncMonitor = worker.monitor
        self._record = worker.monitor.record("echo.connection")
        instruments = worker.instruments
        self._messages = instruments.counter(MESSAGES)
        self._received = instruments.counter(RECEIVED)
        self._sent = instruments.counter(SENT)
        self._pauses = instruments.counter(PAUSES)
        self._duration = instruments.histogram(DURATION)
        self._closed = {
            reason: instruments.counter(CLOSED, reason=reason) for reason in CLOSED.labels["reason"]
        }
        instruments.before_flush(self.sweep)

    @property
    def connections(self) -> Connections[EchoConnection]:
        """Connections made and not lost."""
        return self._connections

    @property
    def tls(self) -> ssl.SSLContext | None:
        """The certificates as they are now."""
        return self._certificates.context if self._certificates else None

    @property
    def proxies(self) -> Proxies | None:
        """The proxies of the settings."""
        return self._proxies

    def protocol(self) -> EchoConnection:
        """Return the protocol of one new connection."""
        return EchoConnection(self, self._settings.echo_write_buffer_bytes)

    async def drain(self) -> None:
        """Finish every connection; a client that has got everything has a while to say FIN."""
        # The last ones came a moment ago with bytes that are not read yet.
        await asyncio.sleep(LAST_LOOK)
        for connection in self._connections:
            connection.finish("drain")
        while not await self._is_empty_within(LOOK):
            now = self._loop.time()
            for connection in self._connections:
                connection.linger(now)

    def abort(self) -> None:
        """Cut what is left."""
        for connection in self._connections:
            self._cut(connection, "abort")

    def made(self, connection: EchoConnection) -> None:
        """Keep a connection until it is lost."""
        connection.quiet_since = now = self._loop.time()
        connection.deadline = self._ages.deadline(now)
        self._connections.add(connection)
        self._record.begin(connection, time.monotonic_ns())

    def paused(self) -> None:
        """Count a client that reads slower than it writes."""
        self._pauses.inc()

    def may_wait(self, connection: EchoConnection, size: int) -> bool:
        """Keep the budget for unsent bytes: what is stalled longest goes first.

        What is cut is not free before the end of the loop's turn. Once as much as is cut at a time
        waits for that, whoever comes is cut, too: a thousand clients may stall in one turn.
        """
        if not self._has_room(size):
            self.sweep()  # it may have been sent since
            budget = self._settings.echo_write_budget_bytes
            if self._held + size > budget:
                self._relieve(connection, min(budget * RELIEF, budget - size))
            if not self._has_room(size):
                self._cut(connection, "write_budget", size)
                return False
        self._held += size
        if not connection.is_touched:  # the sweep found nothing yet
            connection.is_touched = True
            self.touched(connection)
        return True

    def _has_room(self, size: int) -> bool:
        budget, wanted = self._settings.echo_write_budget_bytes, self._held + size
        return wanted <= budget and wanted + self._condemned <= budget * (2 - RELIEF)

    def _relieve(self, newest: EchoConnection, goal: float) -> None:
        """Cut others until no more than ``goal`` is held."""
        stalled = [each for each in self._moved if each is not newest]
        stalled.sort(key=lambda each: (each.quiet_since, -each.unsent))
        for connection in stalled:
            if self._held <= goal:
                break
            self._cut(connection, "write_budget")

    def half_closed(self, connection: EchoConnection) -> None:
        """Give a client that has sent everything a time to read the rest."""
        timeout = self._settings.echo_half_close_timeout_seconds
        self._half_closed[connection] = self._loop.time() + timeout

    def lost(self, connection: EchoConnection, error: BaseException | None, unsent: int) -> None:
        """Count a connection's end."""
        self._connections.discard(connection)
        self._half_closed.pop(connection, None)
        self._finishing.discard(connection)
        if connection.reason in CUT:
            self._condemned -= connection.unsent
        self._report(connection, unsent)
        connection.is_touched = False
        self._closed[connection.reason].inc()
        now = time.monotonic_ns()
        self._duration.observe((now - self._record.running[connection]) / 1e9)
        if error is None:
            self._record.succeed(connection, now)
        else:
            self._monitor.failed(self._record, connection, error)

    def sweep(self) -> None:
        """Count what moved since the last sweep; quiet connections cost nothing.

        The body is one loop without calls of our own: where a thousand connections take turns,
        each moves a few messages between two sweeps, and pays for this with them.
        """
        moved = self._moved.copy()
        self._moved.clear()
        now = self._loop.time()
        messages = received = sent = held = 0
        for connection in moved:
            if not connection.is_touched:  # it was lost or cut meanwhile, and counted
                continue
            unsent = connection.transport.get_write_buffer_size()
            if connection.unsent and not unsent and connection.transport.is_closing():
                continue  # dropped with its connection, or the last of it was sent: its end tells
            gone = connection.received + connection.unsent - unsent
            if gone or connection.received:
                connection.quiet_since = now
                messages += connection.messages
                received += connection.received
                sent += gone
                connection.messages = connection.received = 0
                connection.unsent = unsent
            if unsent:  # it may have moved by the next sweep
                self._moved.append(connection)
                held += unsent
            else:
                connection.is_touched = False
        self._held = held
        self._messages.inc(messages)
        self._received.inc(received)
        self._sent.inc(sent)

    def expire(self) -> None:
        """End what is quiet, what is old, and what does not end by itself."""
        self.sweep()  # what moved a moment ago is not quiet
        now = self._loop.time()
        self._expire_quiet(now)
        for connection, deadline in tuple(self._half_closed.items()):
            if deadline <= now:
                self._cut(connection, "half_close_timeout")
        self._expire_old(now)

    def refresh(self) -> None:
        """Look whether there are new certificates."""
        if self._certificates:
            self._certificates.refresh()

    def _expire_quiet(self, now: float) -> None:
        idle = now - self._settings.echo_idle_timeout_seconds
        stalled = now - self._settings.echo_write_timeout_seconds
        oldest = max(idle, stalled)
        late = [each for each in self._connections if each.quiet_since <= oldest]
        for connection in late:
            if connection.unsent and connection.quiet_since <= stalled:
                self._cut(connection, "write_timeout")
            elif self._is_idle(connection, idle):
                connection.close("idle_timeout")

    def _is_idle(self, connection: EchoConnection, since: float) -> bool:
        quiet = not connection.unsent and connection.quiet_since <= since
        return quiet and connection.reason == "client"  # otherwise its end is on its way

    def _expire_old(self, now: float) -> None:
        stalled = now - self._settings.echo_write_timeout_seconds
        for connection in tuple(self._finishing):
            connection.linger(now)
            if not connection.arrived and connection.quiet_since <= stalled:
                self._cut(connection, "write_timeout")
        if not self._settings.echo_max_age_seconds:
            return
        for connection in self._connections:
            if connection.deadline <= now and connection not in self._finishing:
                self._finishing.add(connection)
                connection.quiet_since = now
                connection.finish("max_age")

    def _cut(self, connection: EchoConnection, reason: str, dropped: int = 0) -> None:
        if connection.reason in CUT:
            return
        self._held -= connection.unsent
        self._report(connection, connection.look() + dropped)
        self._condemned += connection.unsent
        connection.is_touched = False
        connection.abort(reason)

    def _report(self, connection: EchoConnection, unsent: int) -> None:
        self._messages.inc(connection.messages)
        self._received.inc(connection.received)
        self._sent.inc(connection.received + connection.unsent - unsent)
        connection.messages = connection.received = 0
        connection.unsent = unsent

    async def _is_empty_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._connections.until_empty()
        except TimeoutError:
            return False
        return True
