"""What every program does when it starts."""

import pytest
import structlog

from bellbuoy import startup
from bellbuoy.errors import BellbuoyError, EnvironmentFault, SettingsError
from bellbuoy.settings import HostSettings


@pytest.mark.parametrize(
    "error, status", [(SettingsError(["x"]), 78), (EnvironmentFault("x"), 1)], ids=["ours", "other"]
)
def test_a_mistake_in_the_settings_has_a_status_of_its_own(
    error: BellbuoyError, status: int
) -> None:
    """Whoever supervises the program need not start it again."""
    assert startup.exit_status(error) == status


def test_arguments_are_answered_with_one_line() -> None:
    """A program that takes none would otherwise start at --help."""
    assert startup.refuse_arguments("echo", []) is None
    usage = startup.refuse_arguments("echo", ["--help"])
    assert usage is not None
    assert usage.startswith("usage: python -m echo ")
    assert usage.count("\n") == 1


def test_each_unknown_variable_is_one_warning() -> None:
    """With the variable that was meant."""
    with structlog.testing.capture_logs() as events:
        startup.warn_of_unknown(HostSettings, {"BUOY_WORKRES": "1", "BUOY_WORKERS": "1"})
    (event,) = events
    assert (event["event"], event["log_level"]) == ("unknown setting", "warning")
    assert event["detail"].endswith("did you mean BUOY_WORKERS?")
