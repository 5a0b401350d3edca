"""The runtime directory: short, private, gone at the end."""

import os
from pathlib import Path

import pytest

from bellbuoy.errors import EnvironmentFault
from onebox import runtime
from onebox.account import Account
from onebox.binaries import Binaries

ACCOUNT = Account(54_321, 54_321)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")


def test_it_is_short_however_long_the_data_directory_is(tmp_path: Path) -> None:
    """A socket's path ends at 107 bytes."""
    data = tmp_path.joinpath(*["long" * 20] * 5)
    with runtime.make(data, None) as place:
        assert len(os.fsencode(place.socket / ".s.PGSQL.65535.lock")) <= 107


def test_it_is_private_and_gone_at_the_end(tmp_path: Path) -> None:
    """Also after an error."""
    with runtime.make(tmp_path, None) as place:
        assert place.path.stat().st_mode & 0o777 == 0o700
        assert place.socket.is_dir()
    assert not place.path.exists()
    with pytest.raises(FileNotFoundError), runtime.make(tmp_path, None) as place:
        (place.path / "absent").unlink()
    assert not place.path.exists()


def test_what_a_killed_run_left_is_cleared(tmp_path: Path) -> None:
    """The name is the same each time, so there is at most one."""
    with runtime.make(tmp_path, None) as first:
        (first.socket / "stale").touch()
        with runtime.make(tmp_path, None) as second:
            assert second.path == first.path
            assert not list(second.socket.iterdir())


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    """Everybody may write in /tmp."""
    with runtime.make(tmp_path, None) as place:
        pass
    place.path.symlink_to(tmp_path)
    try:
        with pytest.raises(EnvironmentFault, match="in the way"), runtime.make(tmp_path, None):
            pass
    finally:
        place.path.unlink()


def test_places_that_will_not_do_are_named(tmp_path: Path) -> None:
    """Too long, and absent."""
    long = tmp_path / ("long" * 30)
    long.mkdir()
    with (
        pytest.raises(EnvironmentFault, match="TMPDIR"),
        runtime.make(tmp_path, None, (str(long), "/nowhere")),
    ):
        pass


@needs_root
def test_the_socket_belongs_to_the_account(tmp_path: Path) -> None:
    """And the way to it is open for it."""
    with runtime.make(tmp_path, ACCOUNT) as place:
        assert place.socket.stat().st_uid == ACCOUNT.uid
        assert ACCOUNT.may_reach(place.socket)


@needs_root
def test_binaries_out_of_reach_are_copied(tmp_path: Path) -> None:
    """Those within reach are used where they are."""
    tree = tmp_path / "closed" / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / "bin" / "postgres").touch()
    tree.parent.chmod(0o700)
    found = Binaries(tree / "bin", 17, tree)
    with runtime.make(tmp_path, ACCOUNT) as place:
        copy = place.reachable(found, ACCOUNT)
        assert copy.directory.is_relative_to(place.path)
        assert ACCOUNT.may_reach(copy.directory / "postgres")
        assert place.reachable(copy, ACCOUNT) is copy
        assert place.reachable(found, None) is found
