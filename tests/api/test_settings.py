"""The api's settings."""

import pytest

from api.settings import ApiSettings
from bellbuoy.errors import SettingsError
from bellbuoy.settings import load


def test_the_secrets_are_all_that_has_to_be_said() -> None:
    """Both of them, in one message."""
    with pytest.raises(SettingsError) as missing:
        load(ApiSettings, {})
    assert sorted(problem.split(":")[0] for problem in missing.value.problems) == [
        "BUOY_API_TOKENS_FILE",
        "BUOY_DB_PASSWORD_FILE",
    ]
