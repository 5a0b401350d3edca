"""Secrets: made once, readable by one."""

from pathlib import Path

import pytest

from bellbuoy.errors import SettingsError
from bellbuoy.settings import read_secret
from onebox import secret


def test_a_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    """The second start hands out the same token."""
    path = tmp_path / "token"
    first = secret.keep(path)
    assert len(first) >= 40
    assert path.stat().st_mode & 0o777 == 0o600
    assert secret.keep(path) == first


def test_a_secret_that_others_could_read_is_closed(tmp_path: Path) -> None:
    """A careless copy does not stay open."""
    path = tmp_path / "token"
    path.write_text("kept\n")
    path.chmod(0o644)
    assert secret.keep(path) == "kept"
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_empty_file_and_a_draft_left_behind_are_no_secret(tmp_path: Path) -> None:
    """Whoever was killed while writing left nothing to trip over."""
    path = tmp_path / "token"
    path.touch()
    (tmp_path / "token.new").write_text("half")
    assert secret.keep(path) == path.read_text().strip() != ""
    assert [file.name for file in tmp_path.iterdir()] == ["token"]


def test_a_secret_is_what_the_services_read(tmp_path: Path) -> None:
    """One rule: spaces belong to it, the line's end does not."""
    path = tmp_path / "token"
    path.write_text(" kept \n")
    assert secret.keep(path) == read_secret("BUOY_DB_PASSWORD_FILE", path) == " kept "


def test_a_file_that_can_be_no_secret_is_refused(tmp_path: Path) -> None:
    """Not overwritten, and no traceback."""
    path = tmp_path / "token"
    path.write_bytes(b"\xff\n")
    with pytest.raises(SettingsError, match="is not UTF-8 text"):
        secret.keep(path)
