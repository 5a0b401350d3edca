"""The echo service as the host runs it."""

import asyncio

import pytest

from bellbuoy.host import Service, Worker
from bellbuoy.instruments import Instruments
from bellbuoy.metrics import Layout
from bellbuoy.monitor import AsyncMonitor
from echo.families import FAMILIES
from echo.server import EchoServer
from echo.service import LOOKS, Echo
from echo.settings import EchoSettings


def test_it_is_a_service() -> None:
    """Its families are those of the file."""
    service: Service = Echo(EchoSettings())
    assert (service.name, service.families) == ("echo", FAMILIES)


async def test_quiet_connections_are_looked_for_while_it_is_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ten times within the shortest timeout, by a task that ends with the service."""
    looks = asyncio.Semaphore(0)
    monkeypatch.setattr(EchoServer, "expire", lambda _: looks.release())
    monitor = AsyncMonitor()
    settings = EchoSettings(echo_idle_timeout_seconds=1e9, echo_write_timeout_seconds=LOOKS / 1000)
    worker = Worker(Instruments(Layout(FAMILIES)), monitor)
    async with Echo(settings).open(worker), asyncio.timeout(10):
        await looks.acquire()
        await looks.acquire()
        assert monitor.get_stats().tasks["echo.expiry"].running == 1
    stats = monitor.get_stats().tasks["echo.expiry"]
    assert (stats.running, stats.cancelled) == (0, 1)
