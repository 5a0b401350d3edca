"""What is shown of names and errors is short, encodable, and nobody's personal data."""

import asyncpg
import pytest

from bellbuoy.names import VALUE_BYTES
from bellbuoy.shown import message, name_of


@pytest.mark.parametrize(
    "text, shown",
    [
        ("users.create", "users.create"),
        ("read \udcff", "read ?"),
        ("x" * 1_000_000, "x" * VALUE_BYTES),
        ("ä" * VALUE_BYTES, "ä" * (VALUE_BYTES // 2)),
        ("xx" + "ä" * VALUE_BYTES, "xx" + "ä" * (VALUE_BYTES // 2 - 1)),
    ],
    ids=["short", "surrogate", "long", "wide", "wide and even"],
)
def test_a_name_fits_into_the_shared_table(text: str, shown: str) -> None:
    """A character is not cut in two."""
    assert name_of(text) == shown
    assert len(shown.encode()) <= VALUE_BYTES


def test_of_what_postgresql_says_no_row_is_quoted() -> None:
    """Its DETAIL does, and asyncpg hands that on; the constraint's name is enough."""
    error = asyncpg.UniqueViolationError.new(
        {
            "S": "ERROR",
            "C": "23505",
            "M": 'duplicate key value violates unique constraint "users_email"',
            "D": "Key (email)=(ada@example.org) already exists.",
            "H": "Is ada@example.org the same person?",
        }
    )
    assert "ada@example.org" in str(error)
    assert message(error) == 'duplicate key value violates unique constraint "users_email"'


def test_a_message_is_short() -> None:
    """However much an error has to say."""
    assert message(ValueError("x" * 1_000_000)) == "x" * 200
