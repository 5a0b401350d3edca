"""Secrets: made once, readable by one."""

from pathlib import Path

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
