"""Users: what reaches PostgreSQL, and what is shown."""

import contextlib
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.users import DEFAULT_LIMIT, MAX_LIMIT, User, parse_id, parse_limit
from bellbuoy.host.web.problem import Problem


@given(st.integers(1, (1 << 63) - 1))
def test_every_id_of_the_column_is_one(number: int) -> None:
    """From 1 to the greatest bigint."""
    assert parse_id(str(number)) == number


@pytest.mark.parametrize("text", ["0", str(1 << 63), "9" * 19, "9" * 4000])
def test_a_number_that_no_user_can_have_is_nobodys(text: str) -> None:
    """It is asked for in vain, without asking PostgreSQL."""
    assert parse_id(text) is None


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "+1", "01", "1.0", "1e3", " 1", "1\n", "٣", "1_000", "\x00", "\ud800"]
)
def test_what_is_no_number_is_the_callers_mistake(text: str) -> None:
    """One spelling for each id, in ASCII."""
    with pytest.raises(Problem) as refused:
        parse_id(text)
    assert refused.value.status == 400


@given(st.text(max_size=30))
def test_no_text_is_a_bug(text: str) -> None:
    """It is an id, nobody's, or a problem."""
    with contextlib.suppress(Problem):
        assert parse_id(text) is None or str(parse_id(text)) == text


def test_a_limit_may_be_left_out() -> None:
    """Then it is the default one."""
    assert (parse_limit(None), parse_limit("1"), parse_limit("100")) == (
        DEFAULT_LIMIT,
        1,
        MAX_LIMIT,
    )


@pytest.mark.parametrize("text", ["", "0", "-1", "101", "1000000000000000000000", "x", "1.5", "٣"])
def test_a_limit_out_of_bounds_is_the_callers_mistake(text: str) -> None:
    """A page has at most so many users."""
    with pytest.raises(Problem) as refused:
        parse_limit(text)
    assert refused.value.status == 400


def test_a_user_is_shown_with_times_in_utc() -> None:
    """ISO 8601 with Z, and the fields in the order of the columns."""
    moment = datetime(2026, 2, 3, 4, 5, 6, 7, tzinfo=UTC)
    user = User(1, "Ada", "ada@example.com", moment, moment, 2)
    assert msgspec.json.encode(user).decode() == (
        '{"id":1,"name":"Ada","email":"ada@example.com",'
        '"created_at":"2026-02-03T04:05:06.000007Z",'
        '"updated_at":"2026-02-03T04:05:06.000007Z","version":2}'
    )
