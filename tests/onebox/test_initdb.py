"""Initdb: complete or not there."""

from pathlib import Path

import pytest

from bellbuoy.errors import EnvironmentFault
from onebox import initdb
from onebox.binaries import Binaries
from onebox.installation import Installation

FAKE = """#!/bin/sh
echo "$@" > {directory}/arguments
cat {directory}/superuser.password > {directory}/seen
echo some words
{then}
"""


class Place:
    """A place for a cluster and a fake initdb."""

    def __init__(self, directory: Path, then: str, major: int = 17) -> None:
        """Write the fake."""
        self.directory = directory
        self.data = directory / "data"
        program = directory / "initdb"
        program.write_text(FAKE.format(directory=directory, then=then))
        program.chmod(0o755)
        self.installation = Installation(Binaries(directory, major), None)

    def create(self, *, sync: bool = True) -> None:
        """Run it."""
        initdb.create(
            self.data,
            installation=self.installation,
            password="secret",  # noqa: S106  # not one
            scratch=self.directory,
            log=self.directory / "log",
            sync=sync,
        )


def test_the_directory_gets_its_name_when_it_is_complete(tmp_path: Path) -> None:
    """And the password is gone from where initdb read it."""
    place = Place(tmp_path, "echo 17 > PG_VERSION")
    place.create()
    assert (place.data / "PG_VERSION").read_text() == "17\n"
    assert (tmp_path / "seen").read_text() == "secret\n"
    assert not (tmp_path / "superuser.password").exists()


def test_nothing_is_left_of_one_that_failed(tmp_path: Path) -> None:
    """Its words are in the message."""
    place = Place(tmp_path, "exit 2")
    with pytest.raises(EnvironmentFault, match=r"initdb failed \(2\):\nsome words"):
        place.create()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "arguments",
        "initdb",
        "log",
        "seen",
    ]


def test_a_draft_that_was_killed_is_done_again(tmp_path: Path) -> None:
    """From the start."""
    place = Place(tmp_path, "echo 17 > PG_VERSION")
    draft = tmp_path / "data.initialising"
    draft.mkdir()
    (draft / "half").touch()
    place.create()
    assert [path.name for path in place.data.iterdir()] == ["PG_VERSION"]
    assert not draft.exists()


@pytest.mark.parametrize("major,expected", [(16, 0), (17, 1), (18, 1)])
def test_the_locale_is_postgresqls_own_where_it_has_one(
    tmp_path: Path, major: int, expected: int
) -> None:
    """So that an upgrade of the system changes no order of text."""
    Place(tmp_path, "", major).create(sync=False)
    arguments = (tmp_path / "arguments").read_text().split()
    assert arguments.count("--locale-provider=builtin") == expected
    assert {"--locale=C.UTF-8", "--encoding=UTF8", "--data-checksums"} <= set(arguments)
    assert {"--auth-local=scram-sha-256", "--no-sync"} <= set(arguments)
