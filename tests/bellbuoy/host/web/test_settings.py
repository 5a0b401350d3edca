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
