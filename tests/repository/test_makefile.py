"""The Makefile's commands: listed, documented, and able to start from nothing."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.repository.tree import ROOT, sources, text

MAKEFILE = text(Path("Makefile"))
TARGETS = re.findall(r"^\.PHONY: ([a-z][a-z0-9-]*)$", MAKEFILE, re.MULTILINE)
DOCUMENTS = sources(".md")


def make(*arguments: str) -> str:
    """Return what `make` prints."""
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def test_help_lists_every_target() -> None:
    """`make` alone says what there is, each with a sentence."""
    listed = dict(re.findall(r"^  make (\S+) +(\S.*)$", make(), re.MULTILINE))
    assert sorted(listed) == sorted(TARGETS)


def test_documents_name_only_commands_that_exist() -> None:
    """`make x` in a code span or at the start of a line of a code block is a target."""
    command = re.compile(r"(?:`|^\$? ?)make ([a-z][a-z0-9-]*)", re.MULTILINE)
    named = {(str(path), target) for path in DOCUMENTS for target in command.findall(text(path))}
    assert {(path, target) for path, target in named if target not in TARGETS} == set()


def test_documents_link_only_to_files_that_exist() -> None:
    """A relative link leads somewhere."""
    link = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")
    found = {(path, target) for path in DOCUMENTS for target in link.findall(text(path))}
    assert {pair for pair in found if not (ROOT / pair[0].parent / pair[1]).exists()} == set()


def test_the_readme_gives_the_two_commands() -> None:
    """A newcomer needs `make run` and `make test`."""
    assert {"make run", "make test"} <= set(
        re.findall(r"^\$? ?(make \w+)", text(Path("README.md")), re.MULTILINE)
    )


@pytest.mark.parametrize(
    "interpreter, complaint",
    [
        pytest.param("case $1 in --version) echo Python 3.9.2;; esac; exit 1", "3.11", id="old"),
        pytest.param("case $2 in *venv*) exit 1;; esac", "python3-venv", id="without-venv"),
        pytest.param(None, "not installed", id="absent"),
    ],
)
def test_an_unfit_python_is_named_with_the_way_out(
    tmp_path: Path, interpreter: str | None, complaint: str
) -> None:
    """Nothing is installed, and the message says what to do."""
    checkout = tmp_path / "a path with spaces"
    (checkout / "requirements").mkdir(parents=True)
    (checkout / "Makefile").write_text(MAKEFILE)
    (checkout / "requirements" / "run.txt").touch()
    if interpreter:
        (checkout / "python").write_text(f"#!/bin/sh\n{interpreter}\n")
        (checkout / "python").chmod(0o755)
    command = ["make", "run", "PYTHON=./python"]
    result = subprocess.run(command, cwd=checkout, check=False, capture_output=True, text=True)
    assert result.returncode == 2
    assert complaint in result.stderr
    assert not (checkout / ".venv").exists()
