"""The shapes of a user."""

import re
import typing
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.user import Email, Name, NewUser, User, UserPatch

EMAIL: str = typing.get_args(Email)[1].pattern


def test_a_user_is_shown_with_times_in_utc() -> None:
    """As PostgreSQL wrote them, and the fields in the order of the columns."""
    moment = "2026-02-03T04:05:06.000007Z"
    user = User(1, "Ada", "ada@example.com", moment, moment, 2)
    assert msgspec.json.encode(user).decode() == (
        '{"id":1,"name":"Ada","email":"ada@example.com",'
        '"created_at":"2026-02-03T04:05:06.000007Z",'
        '"updated_at":"2026-02-03T04:05:06.000007Z","version":2}'
    )


@pytest.mark.parametrize("kind", [Name, Email])
def test_a_pattern_means_the_same_to_python_and_to_ecmascript(kind: Any) -> None:
    """No construct that one of them does not know, and no newline at the end by accident."""
    pattern = typing.get_args(kind)[1].pattern
    assert not re.search(r"\\[AZzsSwWdD]|\(\?P|\(\?<", pattern)
    assert pattern.endswith(r"$(?!\n)")


@given(st.from_regex(EMAIL).filter(lambda text: 3 <= len(text) <= 254))
def test_every_address_of_the_pattern_fits_the_column(text: str) -> None:
    """In ASCII, so that capitals are PostgreSQL's and ours alike."""
    assert msgspec.convert(text, Email) == text
    assert text.isascii()


def test_a_patch_is_a_new_user_of_which_anything_may_be_absent() -> None:
    """The same members, under the same rules."""
    assert NewUser.__struct_fields__ == UserPatch.__struct_fields__
