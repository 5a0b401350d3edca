"""What is installed is what was locked: every file by its hash, one version everywhere."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.repository.tree import text

FOLDER = Path("requirements")
LOCKS = ("echo", "api", "run", "dev")
PIN = re.compile(r"^([a-z0-9-]+)==([^\s;]+)", re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    """Return the version of each package in a lock file."""
    return dict(PIN.findall(text(FOLDER / f"{name}.txt")))


def wanted(name: str) -> dict[str, str]:
    """Return the versions that a source file asks for, those of the files it includes too."""
    source = text(FOLDER / f"{name}.in")
    found = dict(PIN.findall(source))
    for included in re.findall(r"^-r (\w+)\.in$", source, re.MULTILINE):
        found |= wanted(included)
    return found


def project() -> dict[str, list[Requirement]]:
    """Return the requirement ranges of the distribution: core, and each extra."""
    table = tomllib.loads(text(Path("pyproject.toml")))["project"]
    lists = {"core": table["dependencies"], **table["optional-dependencies"]}
    return {key: [Requirement(line) for line in lines] for key, lines in lists.items()}


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_its_hashes(name: str) -> None:
    """`pip install --require-hashes` accepts the file."""
    entries = re.split(r"^(?=[a-z0-9-]+==)", text(FOLDER / f"{name}.txt"), flags=re.MULTILINE)[1:]
    assert len(entries) == len(pins(name)) > 0
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_file_says_what_wrote_it(name: str) -> None:
    """Nobody edits it by hand."""
    assert "make lock" in text(FOLDER / f"{name}.txt").splitlines()[1]


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_file_holds_what_its_source_asks_for(name: str) -> None:
    """An edited `.in` file was followed by `make lock`."""
    assert wanted(name).items() <= pins(name).items()


@pytest.mark.parametrize("name", LOCKS)
def test_the_tests_run_on_the_versions_that_are_deployed(name: str) -> None:
    """Every other lock is a part of dev's."""
    assert pins(name).items() <= pins("dev").items()


def test_containers_get_what_the_chassis_requires() -> None:
    """The echo image is the core; the api image adds the database extra and nothing else."""
    core = {requirement.name for requirement in project()["core"]}
    database = {requirement.name for requirement in project()["database"]}
    assert set(wanted("echo")) == core
    assert set(wanted("api")) == core | database
    assert not database & set(pins("echo"))


def test_the_pins_lie_in_the_ranges_of_the_distribution() -> None:
    """What we test is what we promise to our users."""
    for requirements in project().values():
        for requirement in requirements:
            assert Version(pins("dev")[requirement.name]) in requirement.specifier
