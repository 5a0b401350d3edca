"""The guard: what stands before a route. Who asks, for what, and how often already."""

from aiohttp import web
from aiohttp.typedefs import Handler

from api.auth import Gate
from api.limits import Limit
from bellbuoy.host.web import Forwarded, Problem, network_of

OWNER = web.RequestKey("owner", str)
"""The name of the token that a request came with."""


class Guard:
    """Puts handlers behind authentication and limits.

    Args:
        gate: Who is known.
        forwarded: Where a request comes from.
        tokens: How often a token may come.
        addresses: How often an address may come.
        greetings: How often an address may be greeted.
    """

    def __init__(
        self, gate: Gate, forwarded: Forwarded, tokens: Limit, addresses: Limit, greetings: Limit
    ) -> None:
        """Stand."""
        self._gate = gate
        self._client = forwarded.client
        self._tokens = tokens
        self._addresses = addresses
        self._greetings = greetings

    def protect(self, handler: Handler, scope: str) -> Handler:
        """Return ``handler`` for who has a token with ``scope``, and does not come too often.

        Addresses come first, so that guessing tokens is limited, too.
        """

        async def guarded(request: web.Request) -> web.StreamResponse:
            self._admit_address(self._addresses, request)
            token = self._gate.admit(request, scope)
            decision = self._tokens.admit(token.name)
            request[OWNER] = token.name
            try:
                response = await handler(request)
            except Problem as problem:
                problem.headers = dict(problem.headers)
                self._tokens.tell(decision, problem.headers)
                raise
            self._tokens.tell(decision, response.headers)
            return response

        return guarded

    def limit(self, handler: Handler) -> Handler:
        """Return a handler that is open to everybody, behind the limit if there is one."""
        if not self._greetings:
            return handler

        async def limited(request: web.Request) -> web.StreamResponse:
            self._admit_address(self._greetings, request)
            return await handler(request)

        return limited

    def _admit_address(self, limit: Limit, request: web.Request) -> None:
        if limit:
            limit.admit(network_of(self._client(request)))
