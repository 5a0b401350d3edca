"""Conditions, as clients may spell them."""

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from api import etag
from api.etag import Condition, Versions
from bellbuoy.host.web import Problem


@pytest.mark.parametrize(
    "values, tags",
    [
        (["*"], None),
        ([" * "], None),
        (['"1"'], (("1", False),)),
        (['W/"1"'], (("1", True),)),
        (['"1", W/"2" ,"3"'], (("1", False), ("2", True), ("3", False))),
        (['"1"', '"2"'], (("1", False), ("2", False))),
        ([',, "1",,'], (("1", False),)),
        (['"a,b"'], (("a,b", False),)),
        (['""'], (("", False),)),
    ],
)
def test_a_list_is_read_as_the_rfc_has_it(
    values: list[str], tags: tuple[tuple[str, bool], ...] | None
) -> None:
    """RFC 9110, 8.8.3 and 5.6.1: empty elements are passed over, several lines are one list."""
    assert etag.parse(values) == Condition(tags)


@pytest.mark.parametrize(
    "text",
    ["", ",", "1", '"1', '1"', '*, "1"', '"1" "2"', 'w/"1"', 'W/ "1"', '"a b"', '"\n"', "**"],
)
def test_anything_else_is_malformed(text: str) -> None:
    """It names nothing."""
    assert etag.parse([text]) is None


@given(st.lists(st.text(max_size=20), max_size=3))
def test_no_field_is_a_bug(values: list[str]) -> None:
    """It is a condition or none."""
    assert etag.parse(values) is None or values


def test_a_list_has_a_bound() -> None:
    """Nobody has so many versions."""
    assert etag.parse(['"1",' * 64]) is not None
    assert etag.parse(['"1",' * 65]) is None


def test_versions_are_compared_strongly() -> None:
    """A weak tag, another spelling, or a number that no version can be never matches."""
    condition = etag.parse(['"1", W/"2", "03", "x", "2147483647", "2147483648", "9999999999"'])
    assert condition is not None
    assert condition.versions() == [1, 2147483647]
    assert Condition(None).versions() is None


@pytest.mark.parametrize(
    "field, known",
    [('"7"', True), ('W/"7"', True), ("*", True), ('"8"', False), ("7", False), ("", False)],
)
def test_what_the_client_has_is_compared_weakly(field: str, known: bool) -> None:  # noqa: FBT001
    """A malformed field names nothing."""
    request = make_mocked_request("GET", "/", {"If-None-Match": field})
    assert etag.is_known(request, etag.of_version(7)) is known
    assert etag.is_known(make_mocked_request("GET", "/"), '"7"') is False


@pytest.mark.parametrize(
    "match, none_match, versions",
    [
        ("*", None, Versions(None, [])),
        ("*", '"7", W/"8", "x"', Versions(None, [7, 8])),
        ('"7", W/"8"', '"7"', Versions([7], [7])),
        ("*", "*", Versions([], [])),
        ('"7"', "*", Versions([], [])),
    ],
)
def test_a_change_is_for_what_matches_one_and_not_the_other(
    match: str, none_match: str | None, versions: Versions
) -> None:
    """RFC 9110, 13.1: If-Match compares strongly, If-None-Match weakly."""
    headers = {"If-Match": match} | ({"If-None-Match": none_match} if none_match else {})
    assert etag.required(make_mocked_request("PUT", "/", headers)) == versions


@pytest.mark.parametrize(
    "headers, status",
    [
        ({}, 428),
        ({"If-None-Match": '"7"'}, 428),
        ({"If-Match": "7"}, 400),
        ({"If-Match": "*", "If-None-Match": "7"}, 400),
    ],
)
def test_a_condition_that_is_required_is_asked_for(headers: dict[str, str], status: int) -> None:
    """And a malformed one is not taken for none: something would be overwritten."""
    with pytest.raises(Problem) as refused:
        etag.required(make_mocked_request("PUT", "/", headers))
    assert refused.value.status == status
