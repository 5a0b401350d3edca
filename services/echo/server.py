"""The echo server of one worker: its connections, their sweep and their end."""

import asyncio
import time

from bellbuoy import timeouts
from bellbuoy.host import Server, Worker
from bellbuoy.monitor import AsyncMonitor
from echo.connection import EchoConnection
from echo.families import CLOSED, DURATION, MESSAGES, PAUSES, RECEIVED, SENT
from echo.settings import EchoSettings

LAST_LOOK = 0.05
"""Seconds to read, once nobody else comes, what clients sent before we stop."""


class EchoServer(Server):
    """Keeps every connection, counts what they moved, and closes those that do not.

    Args:
        settings: Limits and timeouts.
        worker: Where to count.
    """

    def __init__(self, settings: EchoSettings, worker: Worker) -> None:
        """Hold no connection yet."""
        self._settings = settings
        self._connections: set[EchoConnection] = set()
        self._moved: list[EchoConnection] = []
        self._empty = asyncio.Event()
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
    def connections(self) -> int:
        """Connections made and not lost."""
        return len(self._connections)

    def protocol(self) -> EchoConnection:
        """Return the protocol of one new connection."""
        connection = EchoConnection(self, self._settings.echo_write_buffer_bytes, self._loop.time())
        self._connections.add(connection)
        self._record.begin(connection, time.monotonic_ns())
        return connection

    async def drain(self) -> None:
        """Finish every connection; a client that has got everything has a while to say FIN."""
        # The last ones came a moment ago with bytes that are not read yet.
        await asyncio.sleep(LAST_LOOK)
        for connection in tuple(self._connections):
            connection.finish()
        while not await self._is_empty_within(timeouts.LINGER):
            for connection in tuple(self._connections):
                connection.end_linger()

    def abort(self) -> None:
        """Cut what is left."""
        for connection in tuple(self._connections):
            self._cut(connection, "abort")

    def touched(self, connection: EchoConnection) -> None:
        """Look at ``connection`` in the next sweep."""
        self._moved.append(connection)

    def paused(self) -> None:
        """Count a client that reads slower than it writes."""
        self._pauses.inc()

    def lost(self, connection: EchoConnection, error: BaseException | None, unsent: int) -> None:
        """Count a connection's end."""
        self._connections.discard(connection)
        self._report(connection, unsent)
        self._closed[connection.reason].inc()
        now = time.monotonic_ns()
        self._duration.observe((now - self._record.running[connection]) / 1e9)
        if error is None:
            self._record.succeed(connection, now)
        else:
            self._monitor.failed(self._record, connection, error)
        if not self._connections:
            self._empty.set()

    def sweep(self) -> None:
        """Count what moved since the last sweep; quiet connections cost nothing."""
        moved, self._moved = self._moved, []
        now = self._loop.time()
        for connection in moved:
            if connection not in self._connections:
                continue
            unsent = connection.look()
            if connection.received or unsent != connection.unsent:
                connection.quiet_since = now
            self._report(connection, unsent)
            # What is unsent now may have moved by the next sweep.
            connection.is_touched = unsent > 0
            if connection.is_touched:
                self._moved.append(connection)

    def expire(self) -> None:
        """Close the connections on which nothing moves."""
        now = self._loop.time()
        idle = now - self._settings.echo_idle_timeout_seconds
        stalled = now - self._settings.echo_write_timeout_seconds
        oldest = max(idle, stalled)
        late = [each for each in self._connections if each.quiet_since <= oldest]
        for connection in late:
            if connection.unsent and connection.quiet_since <= stalled:
                self._cut(connection, "write_timeout")
            elif not connection.unsent and connection.quiet_since <= idle:
                connection.close("idle_timeout")

    def _cut(self, connection: EchoConnection, reason: str) -> None:
        self._report(connection, connection.look())
        connection.abort(reason)

    def _report(self, connection: EchoConnection, unsent: int) -> None:
        self._messages.inc(connection.messages)
        self._received.inc(connection.received)
        self._sent.inc(connection.received + connection.unsent - unsent)
        connection.messages = connection.received = 0
        connection.unsent = unsent

    async def _is_empty_within(self, seconds: float) -> bool:
        self._empty.clear()
        try:
            async with asyncio.timeout(seconds):
                while self._connections:
                    await self._empty.wait()
        except TimeoutError:
            return False
        return True
