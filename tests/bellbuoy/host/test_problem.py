"""Errors as RFC 9457 problem details."""

import json

from bellbuoy.host.problem import problem


def test_a_problem_says_what_went_wrong() -> None:
    """Title and status are the HTTP status's; further members and headers are the caller's."""
    response = problem(503, "Come back later.", {"Retry-After": "2"}, waiting=7)
    assert response.status == 503
    assert response.content_type == "application/problem+json"
    assert response.headers["Retry-After"] == "2"
    assert isinstance(response.body, bytes)
    assert json.loads(response.body) == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "Come back later.",
        "waiting": 7,
    }


def test_a_problem_ends_its_line() -> None:
    """So that it reads well in a terminal."""
    assert problem(404, "No such user.").body.endswith(b"\n")  # type: ignore[union-attr]  # bytes
