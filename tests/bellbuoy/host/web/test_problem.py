"""Every error is a problem, and none tells more than it should."""

from http import HTTPStatus

import pytest
from aiohttp import web

from bellbuoy.errors import DatabaseUnavailable, QueryFailed
from bellbuoy.host.web.problem import Problem, translate, unavailable
from tests.api.serving import Reply


def reply(problem: Problem) -> Reply:
    """Return the answer as a client sees it."""
    response = problem.response("id-1")
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(response.status, headers, bytes(response.body))  # type: ignore[arg-type]  # bytes


def test_a_problem_is_what_rfc_9457_says() -> None:
    """Its own media type, title and status beside the detail, not to be stored, one line."""
    shown = reply(Problem(404, "No such thing."))
    assert shown.headers["content-type"] == "application/problem+json"
    assert shown.headers["cache-control"] == "no-store"
    assert shown.body.endswith(b"}\n")
    assert shown.content == {
        "title": "Not Found",
        "status": 404,
        "detail": "No such thing.",
        "request_id": "id-1",
    }


@pytest.mark.parametrize("status", [status for status in HTTPStatus if status >= 400])
def test_every_error_status_has_a_title(status: HTTPStatus) -> None:
    """Also 431, 451 and the rarer ones."""
    assert reply(Problem(status)).content["title"] == status.phrase


@pytest.mark.parametrize("seconds, header", [(0.0, "1"), (1.0, "1"), (1.2, "2"), (30, "30")])
def test_retry_after_is_whole_seconds(seconds: float, header: str) -> None:
    """Rounded up, and never zero: that would be an invitation to hammer."""
    assert unavailable("", seconds).headers["Retry-After"] == header


def test_a_refusal_says_when_to_come_back() -> None:
    """Ours to the caller: nothing was done."""
    problem = translate(DatabaseUnavailable("The database cannot be reached.", 1.5))
    assert (problem.status, problem.headers) == (503, {"Retry-After": "2"})
    assert problem.detail == "The database cannot be reached."


@pytest.mark.parametrize(
    "error", [QueryFailed("users.get", "42P01"), RuntimeError("/etc/passwd"), TimeoutError()]
)
def test_a_bug_shows_nothing_of_itself(error: Exception) -> None:
    """500, and words that are the same for all."""
    problem = translate(error)
    assert problem.status == 500
    assert problem.detail == translate(ValueError()).detail


def test_aiohttps_errors_are_problems_too() -> None:
    """With the headers that the status demands and none of the others."""
    problem = translate(web.HTTPMethodNotAllowed("POST", ["GET", "HEAD"]))
    assert (problem.status, problem.headers) == (405, {"Allow": "GET,HEAD"})
    too_large = translate(web.HTTPRequestEntityTooLarge(max_size=1, actual_size=2))
    assert (too_large.status, too_large.headers) == (413, {})
    assert too_large.detail


def test_an_http_error_keeps_what_its_status_demands() -> None:
    """But not its body, nor what describes it."""
    error = web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"}, text="internals")
    response = translate(error).response()
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.content_type == "application/problem+json"
    assert b"internals" not in bytes(response.body)  # type: ignore[arg-type]  # it is bytes
