"""The echo service as the host runs it."""

import asyncio
from pathlib import Path

import pytest

from bellbuoy.errors import SettingsError
from bellbuoy.host import Service, Worker
from bellbuoy.instruments import Instruments
from bellbuoy.metrics import Layout
from bellbuoy.monitor import AsyncMonitor
from bellbuoy.settings import load
from echo.families import FAMILIES
from echo.server import EchoServer
from echo.service import Echo
from echo.settings import EchoSettings
from tests.certificates import Authority, authority
from tests.waiting import soon

__all__ = ["authority"]

TIMEOUTS = (
    "BUOY_ECHO_IDLE_TIMEOUT_SECONDS",
    "BUOY_ECHO_WRITE_TIMEOUT_SECONDS",
    "BUOY_ECHO_HALF_CLOSE_TIMEOUT_SECONDS",
    "BUOY_ECHO_MAX_AGE_SECONDS",
)


def test_it_is_a_service() -> None:
    """Its families are those of the file."""
    service: Service = Echo(EchoSettings())
    assert (service.name, service.families) == ("echo", FAMILIES)


async def test_quiet_connections_are_looked_for_while_it_is_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Again and again, by a task that ends with the service."""
    looks = asyncio.Semaphore(0)
    monkeypatch.setattr(EchoServer, "expire", lambda _: looks.release())
    monitor = AsyncMonitor()
    settings = EchoSettings(echo_write_timeout_seconds=0.1)
    worker = Worker(Instruments(Layout(FAMILIES)), monitor)
    async with Echo(settings).open(worker), asyncio.timeout(10):
        await looks.acquire()
        await looks.acquire()
        assert monitor.get_stats().tasks["echo.expiry"].running == 1
    stats = monitor.get_stats().tasks["echo.expiry"]
    assert (stats.running, stats.cancelled) == (0, 1)


@pytest.mark.parametrize("shortest", TIMEOUTS)
async def test_timeouts_are_kept_to_a_tenth_of_the_shortest(
    monkeypatch: pytest.MonkeyPatch, shortest: str
) -> None:
    """No more lies between two looks, whichever it is."""
    pauses: asyncio.Queue[float] = asyncio.Queue()

    async def pause(seconds: float) -> None:
        pauses.put_nowait(seconds)
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio, "sleep", pause)
    settings = load(EchoSettings, {**dict.fromkeys(TIMEOUTS, "1000"), shortest: "50"})
    worker = Worker(Instruments(Layout(FAMILIES)), AsyncMonitor())
    async with Echo(settings).open(worker), asyncio.timeout(10):
        assert await pauses.get() == 5.0


def test_files_that_cannot_be_used_are_found_before_anything_is_forked(tmp_path: Path) -> None:
    """So that no worker dies of them."""
    absent = tmp_path / "absent.pem"
    settings = EchoSettings(echo_tls_certificate_file=absent, echo_tls_key_file=absent)
    with pytest.raises(SettingsError, match="absent"):
        Echo(settings)


def test_a_maximum_age_that_is_too_short_is_found_before_anything_is_forked() -> None:
    """Each worker would look for old connections all the time."""
    with pytest.raises(SettingsError, match="BUOY_ECHO_MAX_AGE_SECONDS"):
        Echo(EchoSettings(echo_max_age_seconds=0.0999))


async def test_certificates_are_looked_at_while_it_is_open(
    monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    """Also by a worker that came after they were replaced."""
    monkeypatch.setattr("echo.service.REFRESH", 0.001)
    settings = EchoSettings(
        echo_tls_certificate_file=authority.certificate, echo_tls_key_file=authority.key
    )
    worker = Worker(Instruments(Layout(FAMILIES)), AsyncMonitor())
    async with Echo(settings).open(worker) as server:
        before = server.tls
        assert before is not None
        authority.renew()
        await soon(lambda: server.tls is not before)
