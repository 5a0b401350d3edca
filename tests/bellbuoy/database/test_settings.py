"""Where the database is."""

from pathlib import Path

import pytest

from bellbuoy.database.settings import DatabaseSettings
from bellbuoy.errors import SettingsError
from bellbuoy.settings import load


def test_the_password_file_is_all_that_has_to_be_said() -> None:
    """No password has a default; the role is the one without rights to the schema."""
    loaded = load(DatabaseSettings, {"BUOY_DB_PASSWORD_FILE": "/run/secrets/db"})
    assert loaded.db_password_file == Path("/run/secrets/db")
    assert loaded.db_user == "bellbuoy_app"
    with pytest.raises(SettingsError, match="BUOY_DB_PASSWORD_FILE: required"):
        load(DatabaseSettings, {})


@pytest.mark.parametrize("mode", ["prefer", "require", "allow"])
def test_there_is_no_half_hearted_tls(mode: str) -> None:
    """Encryption without checking whom one talks to is not on offer."""
    environ = {"BUOY_DB_PASSWORD_FILE": "x", "BUOY_DB_SSLMODE": mode}
    with pytest.raises(SettingsError, match="disable, verify-full"):
        load(DatabaseSettings, environ)
