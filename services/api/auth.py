"""Authentication: whose bearer token (RFC 6750) a request carries, and what it opens."""

from collections.abc import Sequence

from aiohttp import web

from bellbuoy.host.web import Problem
from bellbuoy.tokens import Token
from bellbuoy.tokenwatch import TokenWatch

READ = "users:read"
WRITE = "users:write"

_CHALLENGE = 'Bearer realm="bellbuoy"'


class Gate:
    """Lets requests with a token of the right scope through.

    Args:
        tokens: Who is known.
    """

    def __init__(self, tokens: TokenWatch) -> None:
        """Ask ``tokens``."""
        self._find = tokens.find

    def admit(self, request: web.Request, scope: str) -> Token:
        """Return the token that a request came with.

        Raises:
            Problem: 401 with the challenge, 403 when the token lacks ``scope``.
        """
        token = self.identify(request.headers.getall("Authorization", ()))
        if scope not in token.scopes:
            error = f', error="insufficient_scope", scope="{scope}"'
            raise Problem(
                403, f"The token lacks the scope {scope}.", {"WWW-Authenticate": _CHALLENGE + error}
            )
        return token

    def identify(self, credentials: Sequence[str]) -> Token:
        """Return the token that a request's ``Authorization`` fields are one of.

        Raises:
            Problem: 401 with the challenge.
        """
        if len(credentials) > 1:
            raise _unauthorized("This route takes one bearer token.", ', error="invalid_request"')
        scheme, _, given = credentials[0].partition(" ") if credentials else ("", "", "")
        if scheme.lower() != "bearer":
            # No error code for who brought nothing of ours (RFC 6750, section 3.1).
            raise _unauthorized("This route takes a bearer token.")
        token = self._find(given.strip(" "))
        if token is None:
            raise _unauthorized("The token is not valid.", ', error="invalid_token"')
        return token


def _unauthorized(detail: str, error: str = "") -> Problem:
    return Problem(401, detail, {"WWW-Authenticate": _CHALLENGE + error})
