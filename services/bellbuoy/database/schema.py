"""The schema: which migrations a database has, and whether a program can work with it."""

from dataclasses import dataclass

READ = """
SELECT coalesce(max(version), 0), coalesce(max(compatible_from), 0) FROM schema_migrations
"""


@dataclass(frozen=True)
class Schema:
    """What a database says about itself.

    Args:
        version: The newest migration applied; 0 for none.
        compatible_from: The oldest schema version a program may have been written for. The
            greatest that any migration declared: what one took away, a later one does not bring
            back.
    """

    version: int
    compatible_from: int

    def serves(self, program: int) -> bool:
        """Return whether a program written for schema version ``program`` can work with it."""
        return self.compatible_from <= program <= self.version


EMPTY = Schema(0, 0)
"""A database without migrations."""

UNDEFINED_TABLE = "42P01"
"""What reading the schema of such a database fails with."""


def is_mismatch(sqlstate: str | None) -> bool:
    """Return whether a statement failed because a table, a column or a right to it is missing."""
    return sqlstate is not None and sqlstate.startswith("42")
