"""The echo service as the host runs it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from bellbuoy.host import Server, Worker
from echo.families import FAMILIES
from echo.server import EchoServer
from echo.settings import EchoSettings

LOOKS = 10
"""How often within the shortest timeout quiet connections are looked for: it is kept to a tenth."""


class Echo:
    """Every byte back as it came.

    Args:
        settings: Limits and timeouts.
    """

    name = "echo"
    families = FAMILIES

    def __init__(self, settings: EchoSettings) -> None:
        """Open nothing yet."""
        self._settings = settings

    @asynccontextmanager
    async def open(self, worker: Worker) -> AsyncIterator[Server]:
        """Yield a server; one task closes its quiet connections."""
        server = EchoServer(self._settings, worker)
        expiry = worker.monitor.create_task(self._expire(server), name="echo.expiry")
        try:
            yield server
        finally:
            expiry.cancel()
            with suppress(asyncio.CancelledError):
                await expiry

    async def _expire(self, server: EchoServer) -> None:
        settings = self._settings
        shortest = min(settings.echo_idle_timeout_seconds, settings.echo_write_timeout_seconds)
        while True:
            await asyncio.sleep(shortest / LOOKS)
            server.expire()
