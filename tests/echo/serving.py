"""An echo server: with a clock of the test's own and no network, or on a real listener."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest

from bellbuoy.host import Worker
from bellbuoy.instruments import Instruments
from bellbuoy.metrics import Family, Layout
from bellbuoy.monitor import AsyncMonitor
from echo.connection import EchoConnection
from echo.families import FAMILIES
from echo.server import EchoServer
from echo.settings import EchoSettings
from tests.bellbuoy.host.listening import listening
from tests.echo.transports import Transport

SETTINGS = EchoSettings(echo_idle_timeout_seconds=100.0, echo_write_timeout_seconds=10.0)


class Bench:
    """A server with a clock of the test's own, and connections without a network."""

    def __init__(self, settings: EchoSettings = SETTINGS) -> None:
        """Hold no connection yet."""
        self.instruments = Instruments(Layout(FAMILIES))
        self.monitor = AsyncMonitor()
        worker = Worker(self.instruments, self.monitor)
        # Chance is always the same: a test must repeat itself.
        self.server = EchoServer(settings, worker, random=Random(7))  # noqa: S311
        self.now = 1000.0
        self.server._loop = self  # type: ignore[assignment]  # all it asks is the time

    def time(self) -> float:
        """Return what the test says."""
        return self.now

    def connect(self) -> tuple[EchoConnection, Transport]:
        """Return a connection and its transport."""
        connection, transport = self.server.protocol(), Transport()
        connection.connection_made(transport)
        return connection, transport

    def count(self, family: Family, **labels: str) -> float:
        """Return a counter."""
        return self.instruments.counter(family, **labels).value


@pytest.fixture
async def bench() -> Bench:
    """A server, in the test's loop."""
    return Bench()


@asynccontextmanager
async def served(
    mark: int = SETTINGS.echo_write_buffer_bytes, instruments: Instruments | None = None
) -> AsyncIterator[tuple[EchoServer, tuple[str, int]]]:
    """A server on a real listener, which stops to read at ``mark`` unsent bytes."""
    settings = dataclasses.replace(SETTINGS, echo_write_buffer_bytes=mark)
    worker = Worker(instruments or Instruments(Layout(FAMILIES)), AsyncMonitor())
    server = EchoServer(settings, worker)
    async with listening(server) as address:
        yield server, address
