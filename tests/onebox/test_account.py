"""The account: never root, never a surprise."""

import os
import pwd
from pathlib import Path

import pytest

from bellbuoy.errors import EnvironmentFault
from onebox import account
from onebox.account import Account

STRANGER = 54_321  # has no entry in /etc/passwd


def as_user(monkeypatch: pytest.MonkeyPatch, uid: int) -> None:
    """Make this process look as if it ran as somebody else."""
    monkeypatch.setattr(os, "geteuid", lambda: uid)


def test_root_hands_over_to_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No user is created."""
    as_user(monkeypatch, 0)
    chosen = account.choose(tmp_path / "new")
    assert chosen == Account(pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid)


def test_root_keeps_to_the_owner_of_existing_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory that an ordinary user made stays usable by that user."""
    as_user(monkeypatch, 0)
    status = os.stat_result((0o40700, 0, 0, 0, STRANGER, 20, 0, 0, 0, 0))
    monkeypatch.setattr(Path, "stat", lambda _self, **_: status)
    assert account.choose(tmp_path) == Account(STRANGER, 20)


def test_an_ordinary_user_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is handed over."""
    as_user(monkeypatch, pwd.getpwnam("nobody").pw_uid)
    assert account.choose(tmp_path / "new") is None


def test_somebody_elses_data_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the owner."""
    as_user(monkeypatch, STRANGER)
    owner = pwd.getpwuid(tmp_path.stat().st_uid).pw_name
    with pytest.raises(EnvironmentFault, match=f"'{owner}', not to user number {STRANGER}"):
        account.choose(tmp_path)


def test_a_user_without_an_entry_learns_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As containers with random users have it."""
    as_user(monkeypatch, STRANGER)
    with pytest.raises(EnvironmentFault, match=f"{STRANGER} has no entry in /etc/passwd"):
        account.choose(tmp_path / "new")


def test_a_closed_directory_on_the_way_is_seen(tmp_path: Path) -> None:
    """Whichever of the three sets of bits applies."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    mine = Account(closed.stat().st_uid, closed.stat().st_gid)
    stranger = Account(STRANGER, STRANGER)
    colleague = Account(STRANGER, closed.stat().st_gid)
    assert mine._may_search(closed.stat())
    assert not stranger.may_reach(closed / "file")
    closed.chmod(0o701)
    assert stranger._may_search(closed.stat())
    assert not colleague._may_search(closed.stat())
    closed.chmod(0o710)
    assert colleague._may_search(closed.stat())
