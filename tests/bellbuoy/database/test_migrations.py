"""Migration files: what is accepted, and what is to be done."""

from pathlib import Path

import pytest

from bellbuoy.database.migrations import Applied, Migration, Migrations
from bellbuoy.errors import SchemaError

HEADER = "-- compatible_from: 1\n"


def write(folder: Path, **files: str) -> Path:
    """Write ``NNNN_name`` files, each with a header of its own or the usual one."""
    for name, sql in files.items():
        content = sql if sql.startswith("--") else HEADER + (sql or "SELECT 1;")
        (folder / f"{name.removeprefix('m')}.sql").write_text(content)
    return folder


def applied(*files: Migration) -> list[Applied]:
    """Return the rows that applying ``files`` leaves."""
    return [Applied(file.version, file.name, file.checksum) for file in files]


def test_files_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """And the last one is the program's schema version."""
    write(tmp_path, m0002_b="SELECT 2;", m0001_a="SELECT 1;")
    loaded = Migrations.load(tmp_path)
    assert [(file.version, file.name) for file in loaded.files] == [(1, "a"), (2, "b")]
    assert loaded.latest == 2


@pytest.mark.parametrize(
    "files, message",
    [
        ({}, "has no migrations"),
        ({"m0001_a": "", "m0003_c": ""}, "0002 is expected where 0003_c.sql is"),
        ({"m0002_b": ""}, "0001 is expected"),
        ({"m0001_a": "", "m0001_b": ""}, "0002 is expected where 0001_b.sql is"),
        ({"m1_a": ""}, "1_a.sql is not named like"),
        ({"m0001_a": "-- users\n"}, "0001_a.sql does not begin with"),
        ({"m0001_a": "-- compatible_from: 2\n"}, "N from 1 to 1"),
        ({"m0001_a": "-- compatible_from: 0\n"}, "N from 1 to 1"),
        ({"m0001_a": "-- compatible_from: 1\n-- later\n"}, "has no statement"),
    ],
    ids=["none", "gap", "no first", "twice", "name", "no header", "future", "zero", "empty"],
)
def test_files_that_are_not_in_order_are_refused(
    tmp_path: Path, files: dict[str, str], message: str
) -> None:
    """With a message that names the file and what is expected."""
    with pytest.raises(SchemaError, match=message):
        Migrations.load(write(tmp_path, **files))


def test_what_the_database_lacks_is_pending(tmp_path: Path) -> None:
    """All for an empty one, the rest for an older one, nothing for an equal one."""
    loaded = Migrations.load(write(tmp_path, m0001_a="", m0002_b="", m0003_c=""))
    first, second, third = loaded.files
    assert loaded.pending([]) == (first, second, third)
    assert loaded.pending(applied(first)) == (second, third)
    assert loaded.pending(applied(first, second, third)) == ()


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    """An old program is rolled back to: it has nothing to do there."""
    loaded = Migrations.load(write(tmp_path, m0001_a=""))
    newer = [*applied(*loaded.files), Applied(2, "b", "unknown here")]
    assert loaded.pending(newer) == ()


def test_a_file_that_changed_after_it_was_applied_is_refused(tmp_path: Path) -> None:
    """Every database must have got the same."""
    before = Migrations.load(write(tmp_path, m0001_a="SELECT 1;"))
    after = Migrations.load(write(tmp_path, m0001_a="SELECT 2;"))
    with pytest.raises(SchemaError, match=r"0001_a\.sql is not what the database applied"):
        after.pending(applied(*before.files))


def test_a_file_that_was_replaced_by_another_is_refused(tmp_path: Path) -> None:
    """Two branches that both wrote number 1."""
    loaded = Migrations.load(write(tmp_path, m0001_a=""))
    with pytest.raises(SchemaError, match="applied as 0001_other"):
        loaded.pending([Applied(1, "other", loaded.files[0].checksum)])


def test_a_gap_in_the_database_is_refused(tmp_path: Path) -> None:
    """Somebody deleted a row."""
    loaded = Migrations.load(write(tmp_path, m0001_a="", m0002_b=""))
    with pytest.raises(SchemaError, match="lacks 0001"):
        loaded.pending(applied(loaded.files[1]))
