"""Problems: every error a client sees, as ``application/problem+json`` (RFC 9457).

Law of this file: a problem says what the client can know and do, never what went wrong inside.
"""

import math
from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from aiohttp import web

from bellbuoy.errors import OutcomeUnknown, Refused

CONTENT_TYPE = "application/problem+json"

INTERNAL = "Something went wrong here; the request id finds it in our logs."
"""All that a client learns of a bug."""


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong in one place of a body.

    Args:
        pointer: The place, as a JSON pointer in a fragment (RFC 6901).
        detail: One sentence for the client.
    """

    pointer: str
    detail: str


class ProblemDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """The members of RFC 9457, and ours. No ``type``: absent means ``about:blank``."""

    title: str
    status: int
    detail: str = ""
    request_id: str = ""
    trace_id: str = ""
    errors: tuple[FieldError, ...] = ()


_encoder = msgspec.json.Encoder()


class Problem(Exception):
    """An answer that is no success; raise it anywhere below the middleware.

    Args:
        status: The HTTP status, 400 to 599.
        detail: One sentence for the client.
        headers: What the status demands, such as ``Allow``.
        errors: What is wrong with the body, place by place.
    """

    def __init__(
        self,
        status: int,
        detail: str = "",
        headers: Mapping[str, str] | None = None,
        errors: tuple[FieldError, ...] = (),
    ) -> None:
        """Keep the parts of the answer."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}
        self.errors = errors

    def response(self, request_id: str = "", trace_id: str = "") -> web.Response:
        """Return the answer; it is the client's alone (``no-store``)."""
        phrase = HTTPStatus(self.status).phrase
        body = ProblemDetails(phrase, self.status, self.detail, request_id, trace_id, self.errors)
        headers = {"Cache-Control": "no-store", **self.headers, "Content-Type": CONTENT_TYPE}
        return web.Response(body=_encoder.encode(body) + b"\n", status=self.status, headers=headers)


_DETAILS = {
    HTTPStatus.NOT_FOUND: "There is nothing at this path.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This path does not take this method.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The request's body is too large.",
    HTTPStatus.EXPECTATION_FAILED: "The only expectation met here is 100-continue.",
}


def unavailable(detail: str, retry_after: float) -> Problem:
    """Return a 503 that says when to come back.

    Args:
        detail: One sentence for the client.
        retry_after: Seconds; rounded up, at least one, because the header takes whole seconds.
    """
    seconds = max(1, math.ceil(retry_after))
    return Problem(503, detail, {"Retry-After": str(seconds)})


def unknown() -> Problem:
    """Return a 503 that gives no time to come back: all was done, or nothing."""
    return Problem(503, "Whether this was done is not known: look before you ask again.")


def translate(error: Exception) -> Problem:
    """Return the problem that an error is for the client; a stranger is a 500."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, Refused):
        return unavailable(str(error), error.retry_after)
    if isinstance(error, OutcomeUnknown):
        return unknown()
    if isinstance(error, web.RequestPayloadError):
        return Problem(400, "The body is not what the request's head says.")
    if isinstance(error, web.HTTPException):
        # Allow, WWW-Authenticate, Retry-After and the like go on; its body does not.
        headers = {
            name: value
            for name, value in error.headers.items()
            if not name.lower().startswith("content-")
        }
        return Problem(error.status, _DETAILS.get(HTTPStatus(error.status), ""), headers)
    return Problem(500, INTERNAL)
