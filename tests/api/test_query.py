"""Queries: what reaches PostgreSQL, and what does not."""

import contextlib

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from api.query import DEFAULT_LIMIT, MAX_LIMIT, parameters, parse_email, parse_id, parse_limit
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


@pytest.mark.parametrize(
    "text", ["", "x", "a@", "a@b\n", "\ud800@b.c", "a" * 300 + "@b.c", "a@b\x00"]
)
def test_what_is_no_address_is_not_looked_for(text: str) -> None:
    """PostgreSQL could refuse it."""
    with pytest.raises(Problem) as refused:
        parse_email(text)
    assert refused.value.status == 400
    assert parse_email("Ada@Example.com") == "Ada@Example.com"


@pytest.mark.parametrize("query", ["limits=1", "limit=1&limit=1", "=", "x", "LIMIT=1"])
def test_a_parameter_that_is_not_known_or_there_twice_is_a_mistake(query: str) -> None:
    """A misspelt one would go unnoticed."""
    with pytest.raises(Problem) as refused:
        parameters(make_mocked_request("GET", f"/users?{query}"), "limit", "after")
    assert refused.value.status == 400
    assert parameters(make_mocked_request("GET", "/users?limit=1"), "limit") == {"limit": "1"}
