"""Limits: what a client is told before and after it came too often."""

import pytest

from api.limits import Limit
from bellbuoy.host.web import Problem


def told_by(limit: Limit, key: str = "alice") -> dict[str, str]:
    """Return the fields of an answer to a request that is let through."""
    headers: dict[str, str] = {}
    limit.tell(limit.admit(key), headers)
    return headers


def test_each_answer_says_what_is_left() -> None:
    """As draft-ietf-httpapi-ratelimit-headers has it: quota, window, remaining, reset."""
    limit = Limit("token", 2)
    told = [told_by(limit) for _ in range(4)]
    assert {each["RateLimit-Policy"] for each in told} == {'"token";q=4;w=2'}
    assert [each["RateLimit"].split(";")[1] for each in told] == ["r=3", "r=2", "r=1", "r=0"]


def test_one_too_many_is_told_when_to_come_back() -> None:
    """429, and others are not concerned."""
    limit = Limit("token", 0.1)
    limit.admit("alice")
    with pytest.raises(Problem) as refused:
        limit.admit("alice")
    assert refused.value.status == 429
    assert refused.value.headers["Retry-After"] == "10"
    assert refused.value.headers["RateLimit"] == '"token";r=0;t=10'
    assert told_by(limit, "bob")


def test_no_rate_is_no_limit() -> None:
    """And nothing is said of one."""
    limit = Limit("greeting", 0)
    assert [*map(bool, [limit, Limit("x", 1)])] == [False, True]
    assert told_by(limit) == {}
