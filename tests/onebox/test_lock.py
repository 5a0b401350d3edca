"""The lock: one holder, who can be named, and who may be killed."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bellbuoy.errors import EnvironmentFault
from onebox import lock

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
KILL_HOLDER = """
import os, pathlib, signal, sys
from onebox import lock
with lock.hold(pathlib.Path(sys.argv[1])):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_second_learns_who_holds_it(tmp_path: Path) -> None:
    """The process, since when, and what to do."""
    path = tmp_path / "lock"
    with (
        lock.hold(path, NOW),
        pytest.raises(EnvironmentFault, match=f"{os.getpid()} since 2026-03-01 12:30:00") as fault,
        lock.hold(path),
    ):
        pass
    assert "BUOY_DATA_DIR" in str(fault.value)


def test_a_lock_that_was_released_is_as_new(tmp_path: Path) -> None:
    """Also when its holder ended with an error: it did end what it had started."""
    path = tmp_path / "lock"
    with pytest.raises(KeyError), lock.hold(path):
        raise KeyError
    with lock.hold(path) as held:
        assert not held.was_abandoned


def test_the_lock_of_a_killed_holder_is_free_and_says_so(tmp_path: Path) -> None:
    """The kernel let go of it; the text remained."""
    path = tmp_path / "lock"
    environ = os.environ | {"PYTHONPATH": ":".join(sys.path)}
    subprocess.run([sys.executable, "-c", KILL_HOLDER, path], env=environ, check=False)
    with lock.hold(path) as held:
        assert held.was_abandoned


def test_a_file_that_was_removed_meanwhile_keeps_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make reset` removes it while it holds it, and somebody has opened it already."""
    path = tmp_path / "lock"
    real = os.open
    opened: list[int] = []

    def open_and_lose(name: Path, flags: int, mode: int) -> int:
        descriptor = real(name, flags, mode)
        if not opened:
            path.unlink()
        opened.append(descriptor)
        return descriptor

    monkeypatch.setattr(os, "open", open_and_lose)
    with lock.hold(path):
        assert len(opened) == 2
        with pytest.raises(EnvironmentFault, match="in use by"), lock.hold(path):
            pass
