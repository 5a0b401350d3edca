"""The bulkhead: routes that share something slow have a limit of their own.

Whatever happens to what they share, at most so many requests wait for it; the others find the
worker free.
"""

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from bellbuoy.host.web.telemetry import (
    CONCURRENCY_IN_USE,
    CONCURRENCY_LIMIT,
    CONCURRENCY_WAITING,
)
from bellbuoy.instruments import Instruments
from bellbuoy.limiter import ConcurrencyLimiter

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
        path = request.rel_url.path_safe  # as the router takes it
        return path.startswith(self._below) or path in self._paths

    async def pass_through(self, handler: Handler, request: web.Request) -> web.StreamResponse:
        """Answer a request when it has a turn.

        Raises:
            Overloaded: It had none.
        """
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
