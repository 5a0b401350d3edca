"""An installation: commands with a clean environment and a short path."""

import signal
from pathlib import Path

import pytest

from onebox.account import Account
from onebox.binaries import Binaries
from onebox.installation import Installation

ACCOUNT = Account(1, 2)


def test_the_data_directory_is_where_the_program_stands() -> None:
    """However long its path is, and whoever may walk it."""
    ours = Installation(Binaries(Path("/opt/bin"), 17), ACCOUNT)
    command = ours.command("postgres", Path("/a b/c"), ["-c", "x=1"], signal.SIGINT)
    assert command.argv == ("/opt/bin/postgres", "-D", "/proc/self/cwd", "-c", "x=1")
    assert (command.directory, command.account) == (Path("/a b/c"), ACCOUNT)


def test_what_the_user_set_does_not_reach_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    """PGDATA, PGPORT and a locale would mislead it."""
    monkeypatch.setenv("PGDATA", "/elsewhere")
    ours = Installation(Binaries(Path("/opt/bin"), 17), None)
    environ = ours.command("postgres", Path("/data"), [], signal.SIGINT, {"A": "1"}).environ
    assert sorted(environ) == ["A", "LC_ALL", "PATH", "TZ"]
