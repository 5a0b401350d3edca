"""Keys: how they are spelt, and what tells one request from another."""

import pytest
from aiohttp.test_utils import make_mocked_request

from api.idempotency import HEADER, fingerprint, key_of
from bellbuoy.host.web import Problem


@pytest.mark.parametrize(
    "spelt, key",
    [
        ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        ('"8e03978e-40d5-43dd-bc93-6894a57f9324"', "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        ('"(a) {b}"'.replace(" ", ""), "(a){b}"),
        ("a" * 128, "a" * 128),
    ],
)
def test_a_key_may_stand_in_quotes_or_not(spelt: str, key: str) -> None:
    """It is the same one: the draft has quotes, many clients have none."""
    assert key_of(make_mocked_request("POST", "/users", {HEADER: spelt})) == key
    assert key_of(make_mocked_request("POST", "/users")) is None


@pytest.mark.parametrize("spelt", ["", '"', '""', "a b", "a" * 129, '"a"b', "a\x7f"])
def test_anything_else_is_refused(spelt: str) -> None:
    """A key that is cut off or ignored protects nobody."""
    with pytest.raises(Problem) as refused:
        key_of(make_mocked_request("POST", "/users", {HEADER: spelt}))
    assert refused.value.status == 400


def test_parts_cannot_be_moved_into_each_other() -> None:
    """Ab and c is not a and bc."""
    assert fingerprint(b"ab", b"c") != fingerprint(b"a", b"bc")
    assert fingerprint(b"a") == fingerprint(b"a")
    assert len(fingerprint(b"")) == 32
