"""The watch over a token file, on a clock that the test turns."""

import errno
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from bellbuoy import tokens
from bellbuoy.errors import SettingsError
from bellbuoy.tokens import Tokens
from bellbuoy.tokenwatch import LOOK, TokenWatch


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        """Begin at a moment like any other."""
        self.time = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.time


def put(path: Path, *names: str) -> None:
    """Replace the file by one that knows these names, each being its own token."""
    tokens.write(path, Tokens(tuple(tokens.issue(each, each, ["users:read"]) for each in names)))


def failing(number: int) -> Callable[..., None]:
    """Return what fails like ``open`` does when the system has an error."""

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with the token ``alice``."""
    put(tmp_path / "tokens", "alice")
    return tmp_path / "tokens"


def test_a_token_is_found_by_its_hash(path: Path) -> None:
    """Another one is not, whatever bytes it has."""
    watch = TokenWatch("X", path)
    found = watch.find("alice")
    assert found is not None
    assert found.name == "alice"
    assert [watch.find(each) for each in ("", "alic", "alicee", "\udcff", found.sha256)] == [
        None
    ] * 5


def test_a_change_is_noticed_at_the_next_look(path: Path) -> None:
    """Not before: a look costs a system call."""
    clock = Clock()
    watch = TokenWatch("X", path, clock)
    put(path, "bob")
    clock.time += LOOK / 2
    assert watch.find("alice")
    clock.time += LOOK / 2
    assert (watch.find("alice"), watch.find("bob") is None) == (None, False)


def test_within_a_second_the_file_is_looked_at_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many ask."""
    clock, looks = Clock(), 0
    stat = os.stat

    def counted(target: Path) -> os.stat_result:
        nonlocal looks
        looks += 1
        return stat(target)

    watch = TokenWatch("X", path, clock)
    monkeypatch.setattr(os, "stat", counted)
    for _ in range(1000):
        clock.time += LOOK / 250
        watch.find("alice")
    assert looks in (3, 4)


def test_a_bad_file_keeps_the_tokens_and_is_logged_once(path: Path) -> None:
    """Until it is mended."""
    clock = Clock()
    watch = TokenWatch("X", path, clock)
    with structlog.testing.capture_logs() as logs:
        path.write_text("no token file")
        for _ in range(5):
            clock.time += LOOK
            assert watch.find("alice")
        path.unlink()
        for _ in range(5):
            clock.time += LOOK
            assert watch.find("alice")
        put(path, "bob")
        clock.time += LOOK
        assert watch.find("bob")
    assert [each["log_level"] for each in logs] == ["error", "error", "info"]


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EACCES, errno.EIO])
def test_a_change_that_could_not_be_read_is_read_at_the_next_look(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A worker out of descriptors must not keep a revoked token; it complains once."""
    clock = Clock()
    watch = TokenWatch("X", path, clock)
    put(path, "bob")
    with structlog.testing.capture_logs() as logs:
        with monkeypatch.context() as patched:
            patched.setattr(Path, "open", failing(number))
            for _ in range(5):
                clock.time += LOOK
                assert watch.find("alice")
        clock.time += LOOK
        assert watch.find("alice") is None
    assert watch.find("bob")
    assert [each["log_level"] for each in logs] == ["error", "info"]


def test_a_link_that_is_turned_is_a_change(tmp_path: Path, path: Path) -> None:
    """Kubernetes replaces a mounted Secret so."""
    clock, link = Clock(), tmp_path / "link"
    link.symlink_to(path)
    watch = TokenWatch("X", link, clock)
    put(tmp_path / "other", "bob")
    (tmp_path / "next").symlink_to(tmp_path / "other")
    (tmp_path / "next").replace(link)
    clock.time += LOOK
    assert watch.find("bob")


def test_a_token_expires_by_itself(tmp_path: Path) -> None:
    """Nobody has to touch the file."""
    wall = Clock()
    end = datetime.fromtimestamp(wall.time, UTC) + timedelta(seconds=10)
    tokens.write(tmp_path / "tokens", Tokens((tokens.issue("a", "a", [], end),)))
    watch = TokenWatch("X", tmp_path / "tokens", Clock(), wall)
    wall.time += 9.9
    assert watch.find("a")
    wall.time += 0.1
    assert watch.find("a") is None


def test_without_a_file_there_is_no_start(tmp_path: Path) -> None:
    """Nobody could come in."""
    with pytest.raises(SettingsError, match="X: cannot read"):
        TokenWatch("X", tmp_path / "tokens")
