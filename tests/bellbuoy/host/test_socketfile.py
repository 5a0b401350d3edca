"""A unix socket's file: who may make it, who removes it."""

import socket
import stat
from pathlib import Path

import pytest

from bellbuoy.errors import EnvironmentFault
from bellbuoy.host.listeners import address, listen
from bellbuoy.host.socketfile import SocketFile, bind


def test_it_listens_for_owner_and_group(tmp_path: Path) -> None:
    """And for nobody else, from the first moment."""
    path = tmp_path / "socket"
    with listen(f"unix:{path}", 1, 5, "BUOY_X_PORT") as listener:
        assert address(listener) == f"unix:{path}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert listener.getblocking() is False
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


def test_what_a_dead_process_left_is_replaced(tmp_path: Path) -> None:
    """Nobody listens there any more."""
    path = tmp_path / "socket"
    bind(path, 5).close()
    assert path.exists()
    with bind(path, 5), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_live_one_is_left_alone(tmp_path: Path) -> None:
    """Even one whose queue is full."""
    path = tmp_path / "socket"
    with bind(path, 0), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        with pytest.raises(EnvironmentFault, match="in use; BUOY_HOST"):
            bind(path, 5)
        assert path.is_socket()


def test_anything_else_is_left_alone(tmp_path: Path) -> None:
    """It may be somebody's letter."""
    path = tmp_path / "letter"
    path.write_text("dear")
    with pytest.raises(EnvironmentFault, match="no socket"):
        bind(path, 5)
    assert path.read_text() == "dear"


def test_a_path_that_cannot_be_says_why(tmp_path: Path) -> None:
    """A folder that is not there, or a name that is too long for a socket."""
    with pytest.raises(EnvironmentFault, match="No such file"):
        bind(tmp_path / "absent" / "socket", 5)
    with pytest.raises(EnvironmentFault, match="too long"):
        bind(tmp_path / ("x" * 200), 5)


def test_it_is_removed_once(tmp_path: Path) -> None:
    """By whoever made it; a port has none."""
    path = tmp_path / "socket"
    with bind(path, 5) as listener:
        file = SocketFile.of(listener)
    assert file is not None
    file.remove()
    assert not path.exists()
    file.remove()
    with listen("127.0.0.1", 0, 5, "BUOY_X_PORT") as listener:
        assert SocketFile.of(listener) is None


def test_a_successors_is_not_removed(tmp_path: Path) -> None:
    """A new supervisor may listen there while the old one still drains."""
    path, other = tmp_path / "socket", tmp_path / "other"
    with bind(path, 5) as listener:
        file = SocketFile.of(listener)
        assert file is not None
        with bind(other, 5):
            other.rename(path)
            file.remove()
            assert path.is_socket()
