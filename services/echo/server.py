"""The echo server of one worker: its connections, their sweep and their end."""

import asyncio
import time

from bellbuoy import timeouts
from bellbuoy.host import Server, Worker
from bellbuoy.monitor import AsyncMonitor
from echo.connection import EchoConnection
from echo.families import CLOSED, DURATION, MESSAGES, PAUSES, RECEIVED, SENT
from echo.settings import EchoSettings


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
        """Finish every connection; those whose client never says FIN are closed after a while."""
        for connection in tuple(self._connections):
            connection.finish()
        try:
            async with asyncio.timeout(timeouts.LINGER):
                await self._until_empty()
        except TimeoutError:
            for connection in tuple(self._connections):
                connection.close("drain")
            await self._until_empty()

    def abort(self) -> None:
        """Cut what is left."""
        for connection in tuple(self._connections):
            connection.abort("abort")

    def touched(self, connection: EchoConnection) -> None:
        """Look at ``connection`` in the next sweep."""
        self._moved.append(connection)

    def paused(self) -> None:
        """Count a client that reads slower than it writes."""
        self._pauses.inc()

    def lost(self, connection: EchoConnection, error: BaseException | None) -> None:
        """Count a connection's end."""
        self._connections.discard(connection)
        self._report(connection)
        self._closed[connection.reason].inc()
        self._duration.observe(self._loop.time() - connection.born)
        if error is None:
            self._record.succeed(connection, time.monotonic_ns())
        else:
            self._monitor.failed(self._record, connection, error)
        if not self._connections:
            self._empty.set()

    def sweep(self) -> None:
        """Count what moved since the last sweep; quiet connections cost nothing."""
        moved, self._moved = self._moved, []
        for connection in moved:
            if connection not in self._connections:
                continue
            connection.look()
            self._report(connection)
            # What is unsent now will have moved by the next sweep.
            connection.is_touched = connection.unsent > 0
            if connection.is_touched:
                self._moved.append(connection)

    def expire(self) -> None:
        """Close the connections on which nothing moves."""
        now = self._loop.time()
        for connection in tuple(self._connections):
            progress = (connection.received, connection.unsent)
            if progress != connection.progress:
                connection.progress, connection.quiet_since = progress, now
                continue
            quiet = now - connection.quiet_since
            if connection.unsent and quiet >= self._settings.echo_write_timeout_seconds:
                connection.abort("write_timeout")
            elif not connection.unsent and quiet >= self._settings.echo_idle_timeout_seconds:
                connection.close("idle_timeout")

    def _report(self, connection: EchoConnection) -> None:
        messages, received, sent = connection.reported
        now = (connection.messages, connection.received, connection.received - connection.unsent)
        self._messages.inc(now[0] - messages)
        self._received.inc(now[1] - received)
        self._sent.inc(now[2] - sent)
        connection.reported = now

    async def _until_empty(self) -> None:
        self._empty.clear()
        if self._connections:
            await self._empty.wait()
