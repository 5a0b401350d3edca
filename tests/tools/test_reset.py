"""`make reset` removes the data of `make run`, and only that."""

from pathlib import Path

import pytest

from bellbuoy.errors import EnvironmentFault
from onebox import datadir, initdb, lock, secret
from tools.reset import reset


@pytest.fixture
def used(tmp_path: Path) -> Path:
    """A data directory as a onebox leaves it."""
    path = tmp_path / "data"
    with datadir.hold(path) as data:
        (data.cluster / "base").mkdir(parents=True)
        data.password("owner").write_text("secret")
        initdb.draft_of(data.cluster).mkdir()
        secret.draft_of(data.token).write_text("half")
        data.log.write_text("old")
        data.log.with_name(f"{data.log.name}.1").write_text("older")
    return path


def test_nothing_of_a_onebox_stays(used: Path) -> None:
    """Database, secrets, token, their drafts, logs and lock are gone, and so the directory."""
    assert reset(used) == f"Removed {used}."
    assert not used.exists()


def test_a_file_of_somebody_else_stays(used: Path) -> None:
    """A data directory in a place with other things costs none of them."""
    (used / "notes.txt").write_text("mine")
    assert "what else lies there stays" in reset(used)
    assert [path.name for path in used.iterdir()] == ["notes.txt"]


def test_a_directory_that_is_no_data_directory_is_left_alone(tmp_path: Path) -> None:
    """A mistyped BUOY_DATA_DIR removes nothing."""
    (tmp_path / "secrets").mkdir()
    assert "Nothing to remove" in reset(tmp_path)
    assert (tmp_path / "secrets").exists()


def test_a_running_onebox_keeps_its_data(used: Path) -> None:
    """The holder of the lock is named, and nothing is touched."""
    with lock.hold(used / "lock"), pytest.raises(EnvironmentFault, match="in use by process"):
        reset(used)
    assert (used / "postgres" / "base").exists()
