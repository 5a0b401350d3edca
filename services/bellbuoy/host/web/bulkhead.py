"""The bulkhead: routes that share something slow have a limit of their own.

Whatever happens to what they share, at most so many requests wait for it; the others find the
worker free. A turn begins when a request is complete: who sends a body slowly holds none.
"""

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web
from aiohttp.streams import EMPTY_PAYLOAD

from bellbuoy.host.web.telemetry import (
    CONCURRENCY_IN_USE,
    CONCURRENCY_LIMIT,
    CONCURRENCY_WAITING,
)
from bellbuoy.instruments import Instruments
from bellbuoy.limiter import ConcurrencyLimiter

HELD = 64 * 1024
"""Bytes of a body that are waited for, at most; aiohttp reads no more ahead than twice as many."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Bulkhead:
    """Lets requests below some paths through as a limiter says.

    Args:
        paths: They and whatever is below them, such as ``/users``.
        limiter: Who may go on.
    """

    def __init__(self, paths: Sequence[str], limiter: ConcurrencyLimiter) -> None:
        """Hold nobody up yet."""
        self._paths = frozenset(paths)
        self._below = tuple(f"{path}/" for path in paths)
        self._limiter = limiter

    def holds(self, request: web.BaseRequest) -> bool:
        """Return whether a request is for one of its routes, however its path is encoded."""
        return self.holds_path(request.rel_url.path_safe)  # as the router takes it

    def holds_path(self, path: str) -> bool:
        """Return whether a decoded path is one of its routes'."""
        return path.startswith(self._below) or path in self._paths

    async def pass_through(self, handler: Handler, request: web.Request) -> web.StreamResponse:
        """Answer a request when it has a turn.

        Raises:
            Overloaded: It had none.
        """
        if request._payload is not EMPTY_PAYLOAD:  # noqa: SLF001 - its public face costs more
            await _arrival(request)
        return await self._limiter.execute(lambda: handler(request))

    def measure(self, instruments: Instruments) -> None:
        """Show what the limiter holds, before each flush."""
        limit = instruments.gauge(CONCURRENCY_LIMIT)
        in_use = instruments.gauge(CONCURRENCY_IN_USE)
        waiting = instruments.gauge(CONCURRENCY_WAITING)

        def show() -> None:
            held = self._limiter.statistics()
            limit.set(held.limit)
            in_use.set(held.in_use)
            waiting.set(held.waiting)

        instruments.before_flush(show)


async def _arrival(request: web.Request) -> None:
    """Return once a body is there, or so much of it that it is too large; nothing is consumed.

    A client that waits to be told to go on (``Expect``) sends nothing before its handler is called.
    """
    content = request.content
    most = min(request._client_max_size or HELD, HELD)  # noqa: SLF001 - there is no public one
    if (request.content_length or 0) > most or "Expect" in request.headers:
        return
    while not content.is_eof() and content.total_bytes <= most:
        await content._wait("bulkhead")  # noqa: SLF001 - its public faces consume, or wait for ever
