"""Authentication: a bearer token (RFC 6750), compared without telling how much of it is right."""

import functools
import hashlib
import hmac
from collections.abc import Awaitable, Callable

from aiohttp import web

from bellbuoy.host.web import Problem

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_CHALLENGE = 'Bearer realm="bellbuoy"'


class Gate:
    """Lets requests with the token through.

    Args:
        token: The secret; only its digest is kept.
    """

    def __init__(self, token: str) -> None:
        """Keep the digest."""
        self._digest = _digest(token)

    def protect(self, handler: Handler) -> Handler:
        """Return ``handler`` behind the gate."""

        @functools.wraps(handler)
        async def guarded(request: web.Request) -> web.StreamResponse:
            self.check(request.headers.getall("Authorization", ()))
            return await handler(request)

        return guarded

    def check(self, credentials: "tuple[str, ...] | list[str]") -> None:
        """Return if a request's ``Authorization`` fields are one, with the token.

        Raises:
            Problem: 401 with the challenge.
        """
        if not credentials:
            raise _unauthorized("This route takes a bearer token.")
        scheme, _, token = credentials[0].partition(" ")
        if len(credentials) > 1 or scheme.lower() != "bearer":
            raise _unauthorized("This route takes one bearer token.", ', error="invalid_request"')
        # Digests have one length: comparing them takes the same time however the guess begins
        # and however long it is.
        if not hmac.compare_digest(_digest(token.strip(" ")), self._digest):
            raise _unauthorized("The token is not valid.", ', error="invalid_token"')


def _digest(token: str) -> bytes:
    # What is no UTF-8 came as surrogates.
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()


def _unauthorized(detail: str, error: str = "") -> Problem:
    return Problem(401, detail, {"WWW-Authenticate": _CHALLENGE + error})
