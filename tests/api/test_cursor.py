"""Cursors: what was given out comes back, nothing else does."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cursor import decode, encode
from bellbuoy.host.web.problem import Problem


@given(st.integers(0, (1 << 63) - 1))
def test_a_cursor_holds_an_id(last: int) -> None:
    """Every id that a user can have."""
    assert decode(encode(last)) == last


@pytest.mark.parametrize(
    "cursor", ["x", "AAAAAAAAAAA=", "AAAAAAAAAAB", "__________8", "ÄÄÄÄÄÄÄÄÄÄÄ", "A" * 4000, "\x00"]
)
def test_what_was_not_given_out_is_refused(cursor: str) -> None:
    """Other spellings, other lengths, ids that do not fit, no ASCII."""
    with pytest.raises(Problem) as refused:
        decode(cursor)
    assert refused.value.status == 400


@given(st.text(max_size=20))
def test_no_text_is_a_bug(cursor: str) -> None:
    """It is a cursor or a problem."""
    with contextlib.suppress(Problem):
        assert encode(decode(cursor)) == cursor
