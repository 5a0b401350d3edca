"""The echo service as the host runs it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bellbuoy.host import Server, Worker
from bellbuoy.host.tls import Certificates
from echo.families import FAMILIES
from echo.server import EchoServer
from echo.settings import EchoSettings

REFRESH = 1.0
"""Seconds between two looks at the certificate files."""

LOOKS = 10
"""How often within the shortest timeout quiet connections are looked for: it is kept to a tenth."""


class Echo:
    """Every byte back as it came.

    Args:
        settings: Limits and timeouts.

    Raises:
        SettingsError: The TLS files, the proxies' networks or the maximum age cannot be used.
    """

    name = "echo"
    families = FAMILIES

    def __init__(self, settings: EchoSettings) -> None:
        """Open nothing yet; what cannot be used is found before anything is forked."""
        self._settings = settings
        files = settings.tls_files
        # Made before the fork, so that a client may resume its session with any worker.
        self._certificates = Certificates(files) if files else None
        self._proxies = settings.proxies
        self._shortest = min(
            settings.echo_idle_timeout_seconds,
            settings.echo_write_timeout_seconds,
            settings.echo_half_close_timeout_seconds,
            settings.max_age,
        )

    @asynccontextmanager
    async def open(self, worker: Worker) -> AsyncIterator[Server]:
        """Yield a server; one task closes its quiet connections."""
        server = EchoServer(self._settings, worker, self._certificates, self._proxies)
        tasks = [worker.monitor.create_task(self._expire(server), name="echo.expiry")]
        if server.tls:
            tasks.append(worker.monitor.create_task(self._refresh(server), name="echo.refresh"))
        try:
            yield server
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _expire(self, server: EchoServer) -> None:
        while True:
            await asyncio.sleep(self._shortest / LOOKS)
            server.expire()

    async def _refresh(self, server: EchoServer) -> None:
        while True:
            server.refresh()
            await asyncio.sleep(REFRESH)
