"""Which programs a database serves."""

import pytest

from bellbuoy.database.schema import EMPTY, Schema, is_mismatch


@pytest.mark.parametrize(
    "schema, serves",
    [
        (EMPTY, False),
        (Schema(2, 1), False),
        (Schema(3, 1), True),
        (Schema(5, 1), True),
        (Schema(5, 3), True),
        (Schema(5, 4), False),
    ],
    ids=["empty", "older", "equal", "newer", "newer, just compatible", "newer, incompatible"],
)
def test_a_database_serves_programs_from_compatible_from_to_its_version(
    schema: Schema, *, serves: bool
) -> None:
    """Asked for a program that was written for schema version 3."""
    assert schema.serves(3) is serves


@pytest.mark.parametrize(
    "sqlstate, mismatch",
    [("42P01", True), ("42703", True), ("42501", True), ("22012", False), (None, False)],
)
def test_a_missing_table_column_or_right_may_be_the_schemas(
    sqlstate: str | None, *, mismatch: bool
) -> None:
    """SQLSTATE class 42."""
    assert is_mismatch(sqlstate) is mismatch
