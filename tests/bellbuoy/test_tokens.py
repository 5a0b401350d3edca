"""Token files: what is kept, what is refused, and how they are replaced."""

import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from bellbuoy import tokens
from bellbuoy.errors import SettingsError
from bellbuoy.tokens import Tokens

SECRET = "geheim"  # noqa: S105


def add(path: Path, name: str) -> None:
    """Add a token of its own."""
    with tokens.editing(path) as present:
        tokens.write(path, present.plus(tokens.issue(name, name * 3, ["users:read"])))


def test_a_token_has_256_random_bits() -> None:
    """As URL-safe text; no two are alike."""
    made = {tokens.generate() for _ in range(100)}
    assert len(made) == 100
    assert {len(each) for each in made} == {43}


def test_the_file_keeps_no_token(tmp_path: Path) -> None:
    """Only what can be compared; the file is its owner's alone."""
    path = tmp_path / "tokens"
    add(path, "alice")
    assert "alicealicealice" not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    (kept,) = tokens.load("X", path).tokens
    assert (kept.name, kept.sha256) == ("alice", tokens.digest("alicealicealice"))
    assert datetime.now(UTC) >= kept.created


def test_a_file_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    """A container reads it as another user."""
    path = tmp_path / "tokens"
    add(path, "a")
    path.chmod(0o444)
    add(path, "b")
    assert path.stat().st_mode & 0o777 == 0o444
    assert [each.name for each in tokens.load("X", path).tokens] == ["a", "b"]


def test_a_change_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file before it is put in place, the folder after: a power cut revives no token."""
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        steps.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def replaced(draft: Path, path: Path) -> Path:
        steps.append("replace")
        return replace(draft, path)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    add(tmp_path / "tokens", "alice")
    assert steps == ["tokens.new", "replace", tmp_path.name]


def test_of_many_writers_none_is_lost(tmp_path: Path) -> None:
    """One at a time: each sees what the one before wrote."""
    path = tmp_path / "tokens"
    writers = [threading.Thread(target=add, args=(path, f"t{n}")) for n in range(20)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
    assert {each.name for each in tokens.load("X", path).tokens} == {f"t{n}" for n in range(20)}


@pytest.mark.parametrize(
    "content",
    [
        SECRET,
        "",
        "[]",
        '{"tokens": [{"name": "a"}]}',
        '{"tokens": [], "geheim": 1}',
        '{"tokens": [{"name": "geheim!", "sha256": "x", "scopes": [], "created": "x"}]}',
        (
            '{"tokens": [{"name": "a", "sha256": "geheim", "scopes": [],'
            ' "created": "2026-01-01T00:00:00Z"}]}'
        ),
        "\xff",
        " " * (tokens.MAX_BYTES + 1),
    ],
)
def test_what_is_no_token_file_is_refused_without_quoting_it(tmp_path: Path, content: str) -> None:
    """Somebody may have put a token there instead of its hash."""
    path = tmp_path / "tokens"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(SettingsError, match=r"^X: ") as refused:
        tokens.load("X", path)
    assert SECRET not in str(refused.value)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    """And the variable that named it."""
    with pytest.raises(SettingsError, match=r"X: cannot read .*nowhere: No such file"):
        tokens.load("X", tmp_path / "nowhere")


def test_two_tokens_of_one_name_are_refused(tmp_path: Path) -> None:
    """Which one would be revoked?"""
    path = tmp_path / "tokens"
    kept = tokens.issue("a", "1", [])
    path.write_bytes(msgspec.json.encode(Tokens((kept, kept))))
    with pytest.raises(SettingsError, match="two tokens of one name"):
        tokens.load("X", path)


def test_a_failed_edit_changes_nothing(tmp_path: Path) -> None:
    """And lets the next one in."""
    path = tmp_path / "tokens"
    add(path, "a")
    with pytest.raises(ZeroDivisionError), tokens.editing(path):
        raise ZeroDivisionError
    add(path, "b")
    assert len(tokens.load("X", path).tokens) == 2


def test_a_folder_that_cannot_be_made_is_the_operators_to_mend(tmp_path: Path) -> None:
    """Not a traceback."""
    (tmp_path / "file").touch()
    with (
        pytest.raises(SettingsError, match="cannot write"),
        tokens.editing(tmp_path / "file" / "x"),
    ):
        pass


def test_a_name_is_spelt_so_that_logs_can_show_it() -> None:
    """Letters, digits, and a few marks."""
    with pytest.raises(msgspec.ValidationError):
        tokens.issue("a\nb", "1", [])


def test_a_crash_while_writing_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new one takes its place only when it is complete on the disk."""
    path = tmp_path / "tokens"
    add(path, "a")
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        add(path, "b")
    assert path.read_bytes() == before
