"""The services: what their environment holds, and what it does not."""

from pathlib import Path

import pytest

from onebox.datadir import DataDirectory
from onebox.services import Services
from onebox.settings import OneboxSettings


@pytest.fixture
def services(tmp_path: Path) -> Services:
    """The commands of a stack with settings of its own."""
    settings = OneboxSettings(echo_port=1, echo_admin_port=2, api_port=3, api_admin_port=4)
    environ = {"PATH": "/bin", "PYTHONPATH": "/mine", "BUOY_DB_USER": "somebody"}
    environ |= {"BUOY_LOG_LEVEL": "debug", "BUOY_WORKRES": "1"}
    data = DataDirectory(tmp_path, was_abandoned=False)
    return Services(settings, environ, data, Path("/run/socket"), 5432)


def test_each_gets_the_settings_onebox_was_given(services: Services) -> None:
    """Ports that were 0 are numbers by now."""
    for command in (services.echo(), services.api()):
        environ = command.environ
        assert [environ["BUOY_ECHO_PORT"], environ["BUOY_API_ADMIN_PORT"]] == ["1", "4"]
        assert environ["PATH"] == "/bin"
        assert environ["PYTHONPATH"].endswith(":/mine")


def test_what_no_program_knows_is_not_passed_on(services: Services) -> None:
    """Onebox has warned of it; its children need not, too."""
    environ = services.api().environ
    assert "BUOY_WORKRES" not in environ
    assert environ["BUOY_LOG_LEVEL"] == "debug"


def test_the_echo_service_hears_nothing_of_the_database(services: Services) -> None:
    """Least privilege starts with not knowing."""
    assert not [
        name for name in services.echo().environ if name in ("BUOY_DB_HOST", "BUOY_DB_NAME")
    ]


def test_only_the_jobs_are_the_owner(services: Services) -> None:
    """The api cannot change the schema it serves."""
    users = [
        command.environ["BUOY_DB_USER"]
        for command in (services.api(), services.migrate(), services.seed())
    ]
    assert users == ["bellbuoy_app", "bellbuoy_owner", "bellbuoy_owner"]


def test_an_operator_may_write_on_both_admin_ports(services: Services, tmp_path: Path) -> None:
    """With the token that lies beside the data, or the operator's own."""
    for command in (services.echo(), services.api()):
        assert command.environ["BUOY_ADMIN_TOKEN_FILE"] == str(tmp_path / "admin.token")
    own = OneboxSettings(admin_token_file=tmp_path / "own")
    data = DataDirectory(tmp_path, was_abandoned=False)
    echo = Services(own, {}, data, Path("/run/socket"), 5432).echo()
    assert echo.environ["BUOY_ADMIN_TOKEN_FILE"] == str(tmp_path / "own")


def test_secrets_are_files(services: Services, tmp_path: Path) -> None:
    """A process list or a crash report shows no password."""
    environ = services.api().environ
    assert environ["BUOY_DB_PASSWORD_FILE"] == str(tmp_path / "secrets/bellbuoy_app.password")
    assert environ["BUOY_API_TOKENS_FILE"] == str(tmp_path / "secrets/api.tokens")
    assert "BUOY_DB_PASSWORD" not in environ
