"""The echo service's settings."""

import math

import pytest

from bellbuoy.errors import SettingsError
from bellbuoy.settings import load
from echo.settings import EchoSettings


def test_defaults_are_usable() -> None:
    """An empty environment runs."""
    settings = load(EchoSettings, {})
    assert (settings.echo_port, settings.echo_admin_port) == (8888, 9888)
    assert settings.echo_write_timeout_seconds < settings.echo_idle_timeout_seconds


@pytest.mark.parametrize(
    "variable, value",
    [
        ("BUOY_ECHO_IDLE_TIMEOUT_SECONDS", "0"),
        ("BUOY_ECHO_WRITE_TIMEOUT_SECONDS", "-1"),
        ("BUOY_ECHO_WRITE_TIMEOUT_SECONDS", "nan"),
        ("BUOY_ECHO_HALF_CLOSE_TIMEOUT_SECONDS", "0.0999"),
        ("BUOY_ECHO_MAX_AGE_SECONDS", "-1"),
        ("BUOY_ECHO_WRITE_BUFFER_BYTES", "1023"),
        ("BUOY_ECHO_WRITE_BUFFER_BYTES", "67108865"),
        ("BUOY_ECHO_PORT", "65536"),
    ],
)
def test_what_would_not_work_is_refused(variable: str, value: str) -> None:
    """By the name of the variable."""
    with pytest.raises(SettingsError, match=f"^{variable}="):
        load(EchoSettings, {variable: value})


@pytest.mark.parametrize("text, age", [("0", math.inf), ("0.1", 0.1), ("300", 300.0)])
def test_a_maximum_age_is_off_or_long_enough(text: str, age: float) -> None:
    """So that nobody is looked for all the time."""
    assert load(EchoSettings, {"BUOY_ECHO_MAX_AGE_SECONDS": text}).max_age == age


def test_a_shorter_maximum_age_is_refused() -> None:
    """By the name of the variable."""
    with pytest.raises(SettingsError, match=r"^BUOY_ECHO_MAX_AGE_SECONDS=0.0999: expected 0, or"):
        _ = load(EchoSettings, {"BUOY_ECHO_MAX_AGE_SECONDS": "0.0999"}).max_age


@pytest.mark.parametrize(
    "named, missing",
    [
        ({"CERTIFICATE"}, "KEY"),
        ({"KEY"}, "CERTIFICATE"),
        ({"CLIENT_CA"}, "CERTIFICATE"),
        ({"CERTIFICATE", "CLIENT_CA"}, "KEY"),
    ],
)
def test_half_an_identity_is_refused(named: set[str], missing: str) -> None:
    """Rather than serving in plain text what was meant to be secret."""
    environ = {f"BUOY_ECHO_TLS_{name}_FILE": "/file" for name in named}
    with pytest.raises(SettingsError, match=f"^BUOY_ECHO_TLS_{missing}_FILE: required"):
        _ = load(EchoSettings, environ).tls_files


def test_tls_and_proxies_are_off_unless_set() -> None:
    """Both are a decision."""
    settings = load(EchoSettings, {})
    assert (settings.tls_files, settings.proxies) == (None, None)


def test_networks_are_read() -> None:
    """Or named when they are none."""
    settings = load(EchoSettings, {"BUOY_ECHO_PROXY_NETWORKS": "10.0.0.0/8,::1"})
    assert settings.proxies is not None
    assert settings.proxies.trusts("10.1.1.1")
    with pytest.raises(SettingsError, match=r"^BUOY_ECHO_PROXY_NETWORKS="):
        _ = load(EchoSettings, {"BUOY_ECHO_PROXY_NETWORKS": "nonsense"}).proxies
