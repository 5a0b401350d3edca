"""The settings of onebox: those of the services, and two of its own."""

from pathlib import Path

from bellbuoy.settings import load
from onebox.settings import OneboxSettings


def test_the_defaults_need_no_variable() -> None:
    """`make run` on a fresh clone."""
    settings = load(OneboxSettings, {})
    assert (settings.data_dir, settings.postgres_bin) == (Path(".bellbuoy"), None)
    assert (settings.host, settings.echo_port, settings.api_port) == ("127.0.0.1", 8888, 8080)


def test_paths_are_read() -> None:
    """Spaces included."""
    environ = {"BUOY_DATA_DIR": "/a b/c", "BUOY_POSTGRES_BIN": "/usr/bin"}
    settings = load(OneboxSettings, environ)
    assert (settings.data_dir, settings.postgres_bin) == (Path("/a b/c"), Path("/usr/bin"))
