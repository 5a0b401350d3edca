"""The service as the host sees it."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from api.service import ApiService
from bellbuoy.errors import SettingsError
from bellbuoy.host.web import telemetry
from bellbuoy.metrics import Layout
from tests.api.serving import api_settings, served_api


def test_a_missing_secret_stops_the_program(tmp_path: Path) -> None:
    """Before anything is forked, and the message names the variable."""
    settings = api_settings(tmp_path)
    (tmp_path / "api.tokens").unlink()
    with pytest.raises(SettingsError, match="BUOY_API_TOKENS_FILE: cannot read"):
        ApiService(settings)
    settings = api_settings(tmp_path)
    (tmp_path / "password").write_text("")
    with pytest.raises(SettingsError, match="BUOY_DB_PASSWORD_FILE"):
        ApiService(settings)


def test_a_malformed_network_of_proxies_stops_the_program(tmp_path: Path) -> None:
    """Before a worker starts, and by the variable's name."""
    settings = replace(api_settings(tmp_path), trusted_proxies="10.0.0.0/8, x")
    with pytest.raises(SettingsError, match="BUOY_TRUSTED_PROXIES"):
        ApiService(settings)


def test_its_families_fit_together() -> None:
    """No name twice, and within the budget of a service."""
    assert Layout(ApiService.families).size < 2000


async def test_opening_needs_no_postgresql_and_is_not_ready_without(tmp_path: Path) -> None:
    """It serves; it must not be sent traffic before a schema was seen."""
    async with served_api(api_settings(tmp_path)) as served:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(served.server.ready(), 0.05)
        assert (await served.ask("/")).status == 200


async def test_every_route_has_series_of_its_own(tmp_path: Path) -> None:
    """None is counted under ``other``, and there is room for what finds no route, by any method."""
    async with served_api(api_settings(tmp_path)) as served:
        paths = (await served.ask("/openapi.json")).content["paths"]
        declared = {
            (method.upper(), path)
            for path, item in paths.items()
            for method in (*item, "options")
            if method.upper() in telemetry.METHODS
        }
        answers = served.instruments.names(telemetry.REQUESTS)
        durations = served.instruments.names(telemetry.DURATION)
        sizes = served.instruments.names(telemetry.REQUEST_SIZE)
    foreseen = {(*each, str(status)) for each in declared for status in telemetry.FORESEEN}
    assert foreseen - set(answers.entries()) == set()
    # Each route has about four more, above all refusals.
    assert len(answers.entries()) + 4 * len(declared) <= answers.table.capacity
    assert declared - set(durations.entries()) == set()
    assert len(durations.entries()) + len(telemetry.METHODS) + 1 <= durations.table.capacity
    assert {path for _, path in declared} - {path for (path,) in sizes.entries()} == set()
    assert len(sizes.entries()) + 1 <= sizes.table.capacity
