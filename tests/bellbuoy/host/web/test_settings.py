"""The settings of HTTP services."""

import pytest

from bellbuoy.errors import SettingsError
from bellbuoy.host.web.settings import WebSettings
from bellbuoy.settings import load


def test_a_malformed_network_is_named() -> None:
    """Before anything listens."""
    settings = load(WebSettings, {"BUOY_TRUSTED_PROXIES": "10.0.0.0/8, x"})
    with pytest.raises(SettingsError, match="BUOY_TRUSTED_PROXIES"):
        _ = settings.forwarded


@pytest.mark.parametrize("mode, limit", [("adaptive", 64), ("fixed", 100)])
def test_a_limiter_is_what_the_settings_say(mode: str, limit: int) -> None:
    """An adaptive one begins low and learns."""
    environ = {"BUOY_CONCURRENCY_LIMIT": "100", "BUOY_CONCURRENCY_MODE": mode}
    limiter = load(WebSettings, environ).limiter(5)
    assert limiter.statistics().limit == limit


def test_a_limit_below_what_can_be_worked_on_is_taken() -> None:
    """Somebody means it."""
    limiter = load(WebSettings, {"BUOY_CONCURRENCY_LIMIT": "2"}).limiter(5)
    assert limiter.statistics().limit == 2
