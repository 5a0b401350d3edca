"""Migrations: numbered SQL files, and what is to be done to a database that has some of them.

Law of this file: nothing here talks to a database. Files are ``NNNN_name.sql`` without a gap,
each begins with ``-- compatible_from: N`` (the oldest schema version a program may have been
written for and still work afterwards), and a file that was applied never changes again.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bellbuoy.errors import SchemaError

_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_COMMENT = re.compile(r"--.*")
_COMPATIBLE_FROM = re.compile(r"-- compatible_from: (\d+)")


@dataclass(frozen=True)
class Applied:
    """A row of ``schema_migrations``."""

    version: int
    name: str
    checksum: str


@dataclass(frozen=True)
class Migration:
    """One file.

    Args:
        version: Its number, from 1.
        name: The rest of its name.
        sql: Its contents.
        compatible_from: The oldest schema version that programs may be at afterwards.
    """

    version: int
    name: str
    sql: str
    compatible_from: int

    @property
    def checksum(self) -> str:
        """SHA-256 of the contents, in hexadecimal."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file.

        Raises:
            SchemaError: Its name or its header is not as the law of this file says.
        """
        named = _NAME.fullmatch(path.name)
        if not named:
            raise SchemaError(f"{path.name} is not named like 0001_what_it_does.sql")
        sql, version = path.read_text(encoding="utf-8"), int(named[1])
        header = _COMPATIBLE_FROM.match(sql)
        if not header or not 0 < int(header[1]) <= version:
            raise SchemaError(
                f"{path.name} does not begin with the line '-- compatible_from: N', "
                f"N from 1 to {version}"
            )
        if not _COMMENT.sub("", sql).strip():
            raise SchemaError(f"{path.name} has no statement")
        return cls(version, named[2], sql, int(header[1]))


@dataclass(frozen=True)
class Migrations:
    """All files of a program, in the order of their numbers."""

    files: tuple[Migration, ...]

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read the ``*.sql`` files of a directory.

        Raises:
            SchemaError: There are none, a number is missing or there twice, or a file is not as
                the law of this file says.
        """
        files = tuple(Migration.read(path) for path in sorted(directory.glob("*.sql")))
        if not files:
            raise SchemaError(f"{directory} has no migrations")
        for expected, file in enumerate(files, start=1):
            if file.version != expected:
                raise SchemaError(
                    f"migrations are numbered without a gap: {expected:04} is expected where "
                    f"{file.version:04}_{file.name}.sql is"
                )
        return cls(files)

    @property
    def latest(self) -> int:
        """The schema version that the program is written for."""
        return self.files[-1].version

    def pending(self, applied: Sequence[Applied]) -> tuple[Migration, ...]:
        """Return what is to be applied; nothing if the database is newer than the program.

        Args:
            applied: What the database has, in the order of the versions.

        Raises:
            SchemaError: A file differs from what was applied, or the database has a gap.
        """
        for expected, row in enumerate(applied, start=1):
            if row.version != expected:
                raise SchemaError(
                    f"the database has migration {row.version:04}_{row.name} but lacks "
                    f"{expected:04}: schema_migrations was changed by hand"
                )
        for row, file in zip(applied, self.files, strict=False):
            if (row.name, row.checksum) != (file.name, file.checksum):
                raise SchemaError(
                    f"{file.version:04}_{file.name}.sql is not what the database applied as "
                    f"{row.version:04}_{row.name}: restore the file, and write a new migration"
                )
        return self.files[len(applied) :]
