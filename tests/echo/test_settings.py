"""The echo service's settings."""

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
        ("BUOY_ECHO_WRITE_BUFFER_BYTES", "1023"),
        ("BUOY_ECHO_WRITE_BUFFER_BYTES", "67108865"),
        ("BUOY_ECHO_PORT", "65536"),
    ],
)
def test_what_would_not_work_is_refused(variable: str, value: str) -> None:
    """By the name of the variable."""
    with pytest.raises(SettingsError, match=f"^{variable}="):
        load(EchoSettings, {variable: value})
