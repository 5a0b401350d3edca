"""The program's entry: exit statuses and where messages go."""

import os
import subprocess
import sys
from pathlib import Path


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run onebox to its end."""
    environ = os.environ | {"PYTHONPATH": ":".join(sys.path)} | variables
    return subprocess.run(
        [sys.executable, "-m", "onebox", *arguments],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_wrong_settings_are_all_said_at_once(tmp_path: Path) -> None:
    """On standard error, without a traceback, and nothing is started."""
    done = run(BUOY_ECHO_PORT="x", BUOY_LOOP="y", BUOY_DATA_DIR=str(tmp_path / "data"))
    assert (done.returncode, done.stdout) == (78, "")
    assert "BUOY_ECHO_PORT='x'" in done.stderr
    assert "BUOY_LOOP='y'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_fault_of_the_machine_is_one_message(tmp_path: Path) -> None:
    """And exit status 1."""
    (tmp_path / "file").touch()
    done = run(BUOY_DATA_DIR=str(tmp_path / "file"))
    assert done.returncode == 1
    assert done.stderr.startswith("\nonebox: the data directory")
    assert "Traceback" not in done.stderr


def test_arguments_start_nothing(tmp_path: Path) -> None:
    """Who asks for help gets a line, and no database."""
    done = run("--help", BUOY_DATA_DIR=str(tmp_path / "data"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: python -m onebox ")
    assert not (tmp_path / "data").exists()
