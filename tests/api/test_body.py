"""Bodies: what is taken, and what is said of what is not. No input is a bug."""

import contextlib
import json

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from api.body import BodyReader
from api.user import NewUser, UserPatch
from bellbuoy.host.web import Problem

NEW = BodyReader("application/json", NewUser)
PATCH = BodyReader("application/merge-patch+json", UserPatch)
TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)


def refusal(body: bytes) -> Problem:
    """Return what a body is refused with."""
    with pytest.raises(Problem) as refused:
        NEW.decode(body)
    return refused.value


def status(body: bytes) -> int:
    """Return what a body would be answered with; any other error is a bug."""
    try:
        NEW.decode(body)
    except Problem as problem:
        return problem.status
    return 201


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"not json",
        b"\xef\xbb\xbf{}",
        b'{"name":"\xff","email":"a@b.c"}',
        b'{"name":"\xed\xa0\x80","email":"a@b.c"}',
        b'{"name":"\\ud800","email":"a@b.c"}',
        b'{"name":"\\ud800x","email":"a@b.c"}',
        b'{"name":"\\udc00\\ud800","email":"a@b.c"}',
        b'{"name":NaN,"email":"a@b.c"}',
        b'{"name":Infinity,"email":"a@b.c"}',
        b'{"name":"a","email":"a@b.c"}{}',
        b'{"name":"a","name":"b","email":"a@b.c"}',
        b'{"name":"a","email":"a@b.c","\\u0065mail":"b@b.c"}',
        b'{"name":"a\n","email":"a@b.c"}',
        b'{"name":"a","email":"a@b.c",}',
    ],
)
def test_what_is_no_json_is_malformed(body: bytes) -> None:
    """400, a member that is there twice included."""
    assert refusal(body).status == 400


@pytest.mark.parametrize(
    "body, pointer",
    [
        (b"[]", "#"),
        (b"null", "#"),
        (b"9" * 5000, "#"),
        (b"[" * 60_000, "#"),
        (b'{"name":"a"}', "#/email"),
        (b'{"name":"a","email":"a@b.c","id":7}', "#/id"),
        (b'{"name":"a","email":"a@b.c","a/~b":7}', "#/a~1~0b"),
        (b'{"name":' + b"[" * 60_000, "#/name"),
        (b'{"name":' + b"9" * 60_000 + b"}", "#/name"),
        (b'{"name":1e999,"email":"a@b.c"}', "#/name"),
        (b'{"name":null,"email":"a@b.c"}', "#/name"),
        (b'{"name":"","email":"a@b.c"}', "#/name"),
        (b'{"name":" a","email":"a@b.c"}', "#/name"),
        (b'{"name":"a\\u0000","email":"a@b.c"}', "#/name"),
        (b'{"name":"a\\n","email":"a@b.c"}', "#/name"),
        (b'{"name":"a\\u0085","email":"a@b.c"}', "#/name"),
        (b'{"name":"' + b"a" * 201 + b'","email":"a@b.c"}', "#/name"),
        (b'{"name":"a","email":"a"}', "#/email"),
        (b'{"name":"a","email":"a@"}', "#/email"),
        (b'{"name":"a","email":"@b.c"}', "#/email"),
        (b'{"name":"a","email":"a@b.c\\n"}', "#/email"),
        (b'{"name":"a","email":"a b@c.d"}', "#/email"),
        (b'{"name":"a","email":"a@b..c"}', "#/email"),
        (b'{"name":"a","email":"' + b"a" * 65 + b'@b.c"}', "#/email"),
        (b'{"name":"a","email":"a@' + b"b." * 130 + b'c"}', "#/email"),
    ],
)
def test_json_that_does_not_fit_is_pointed_at(body: bytes, pointer: str) -> None:
    """422, with the place in the body."""
    problem = refusal(body)
    assert (problem.status, [error.pointer for error in problem.errors]) == (422, [pointer])
    assert "`" not in problem.errors[0].detail


def test_what_is_repeated_of_a_body_is_short() -> None:
    """Nobody gets an essay back."""
    (error,) = refusal(b'{"' + b"x" * 50_000 + b'":1}').errors
    assert len(error.pointer) < 100


@given(st.binary(max_size=40) | TEXT.map(str.encode))
def test_no_bytes_are_a_bug(body: bytes) -> None:
    """They are a user or a problem of the client's."""
    for prefix in (b"", b'{"name":', b'{"name":"', b'{"email":"a@b.c","name":"a'):
        assert status(prefix + body) in {201, 400, 422}


@given(st.dictionaries(st.sampled_from(["name", "email"]), TEXT, max_size=2))
def test_a_patch_has_what_it_names_and_no_more(content: dict[str, str]) -> None:
    """Strings full of colons, quotes and braces do not confuse the count of members."""
    with contextlib.suppress(Problem):
        patch = PATCH.decode(json.dumps(content).encode())
        assert {name: getattr(patch, name) for name in content} == content


@pytest.mark.parametrize("name", ['a:"b":{c}', 'a\\":b', "ä:ö", "x" * 200, "🐧" * 200])
def test_punctuation_in_a_string_is_no_member(name: str) -> None:
    """A name with colons and quotes is a name."""
    for ascii_ in (True, False):
        body = json.dumps({"name": name, "email": "a@b.c"}, ensure_ascii=ascii_).encode()
        assert NEW.decode(body).name == name


@pytest.mark.parametrize(
    "headers, field",
    [
        ({}, "Accept"),
        ({"Content-Type": ""}, "Accept"),
        ({"Content-Type": "text/plain"}, "Accept"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "Accept"),
        ({"Content-Type": "application/json; charset=nope"}, "Accept"),
        ({"Content-Type": "application/json; charset=utf-16"}, "Accept"),
        ({"Content-Type": "application/problem+json"}, "Accept"),
        ({"Content-Type": "\xff;;=/"}, "Accept"),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, "Accept-Encoding"),
    ],
)
async def test_another_type_or_coding_is_told_which_is_taken(
    headers: dict[str, str], field: str
) -> None:
    """415 (RFC 9110, 15.5.16)."""
    with pytest.raises(Problem) as refused:
        await NEW.read(make_mocked_request("POST", "/users", headers))
    assert (refused.value.status, [*refused.value.headers]) == (415, [field])


@pytest.mark.parametrize(
    "declared",
    [
        "application/json",
        "application/json;charset=utf-8",
        'Application/JSON; charset="UTF-8"',
        "application/json; x=y",
    ],
)
def test_a_type_may_be_written_in_several_ways(declared: str) -> None:
    """RFC 9110: no case, parameters in quotes or not."""
    assert NEW._takes(declared)
