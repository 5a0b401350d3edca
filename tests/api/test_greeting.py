"""Names: whatever UTF-8 spells, and what it cannot spell."""

import contextlib
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.greeting import MAX_NAME, decode_name
from bellbuoy.host.web.problem import Problem

PRINTABLE = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=MAX_NAME)


@given(PRINTABLE)
def test_any_text_comes_back_as_it_was_meant(name: str) -> None:
    """Percent-encoded as a client does."""
    assert decode_name(quote(name, safe="")) == name


@pytest.mark.parametrize(
    "segment, status",
    [
        ("%FF", 400),
        ("%C3", 400),
        ("%ED%A0%80", 400),
        ("100%", 400),
        ("%zz", 400),
        ("a%00b", 400),
        ("a%0D%0Ab", 400),
        ("%C2%85", 400),
        ("a" * (MAX_NAME + 1), 414),
        ("%C3%A4" * (MAX_NAME + 1), 414),
    ],
)
def test_what_is_no_name_is_refused(segment: str, status: int) -> None:
    """Bytes that are no UTF-8, broken escapes, control characters, and too much of it."""
    with pytest.raises(Problem) as refused:
        decode_name(segment)
    assert refused.value.status == status


@given(st.text(st.characters(codec="ascii", exclude_characters="/"), max_size=300))
def test_no_segment_is_a_bug(segment: str) -> None:
    """Whatever the parser lets through is a name or a problem."""
    with contextlib.suppress(Problem):
        assert len(decode_name(segment)) <= MAX_NAME
