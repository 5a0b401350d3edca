"""The data directory: made when absent, explained when it cannot be."""

from pathlib import Path

import pytest

from bellbuoy.errors import EnvironmentFault
from onebox import datadir


def test_it_is_made_with_its_parents(tmp_path: Path) -> None:
    """The token is there and closed to others, and so are the passwords to come."""
    with datadir.hold(tmp_path / "a" / "b") as data:
        assert data.token.stat().st_mode & 0o777 == 0o600
        assert data.admin_token.stat().st_mode & 0o777 == 0o600
        assert data.password("x").parent.stat().st_mode & 0o777 == 0o700
        assert data.cluster.parent == data.log.parent == tmp_path / "a" / "b"


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Children may work elsewhere."""
    monkeypatch.chdir(tmp_path)
    with datadir.hold(Path("here")) as data:
        assert data.path == tmp_path / "here"


def test_it_is_held(tmp_path: Path) -> None:
    """By one at a time."""
    with datadir.hold(tmp_path), pytest.raises(EnvironmentFault, match="in use by process"):
        datadir.hold(tmp_path).__enter__()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """With the variable that names another one."""
    (tmp_path / "file").touch()
    with (
        pytest.raises(EnvironmentFault, match=r"cannot be used: .*BUOY_DATA_DIR"),
        datadir.hold(tmp_path / "file" / "below"),
    ):
        pass
