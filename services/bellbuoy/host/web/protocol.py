"""The protocol: aiohttp's, one for each connection, with every limit named.

aiohttp's own factory drops all limits with a warning when it does not know one of them; here an
unknown one is a TypeError.
"""

import asyncio

import structlog
from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong
from aiohttp.web_protocol import RequestHandler

from bellbuoy import timeouts
from bellbuoy.host.connections import Connections
from bellbuoy.host.web.middleware import identify, say_goodbye, sign
from bellbuoy.host.web.problem import INTERNAL, Problem
from bellbuoy.host.web.telemetry import HttpMetrics

KEEP_ALIVE = 75.0
"""Seconds an idle connection stays open, the first request included: longer than the 60 s that
load balancers use, so that they close first and no request meets a closing connection."""

MAX_LINE = 4096
"""Bytes of a request line."""

MAX_FIELD = 8190
"""Bytes of one header field; what nginx and Apache allow. It differs from MAX_LINE, which tells
the two apart in aiohttp's error."""

MAX_FIELDS = 64
"""Header fields."""

WRITE_STALL = timeouts.REQUEST
"""Seconds for which a client may leave answers unread before it is cut."""

_log = structlog.get_logger("bellbuoy.host.web.protocol")


class HttpProtocol(RequestHandler):
    """One connection."""

    __slots__ = ("_connections", "_metrics", "_stall")

    def __init__(
        self,
        manager: web.Server,
        connections: "Connections[HttpProtocol]",
        metrics: HttpMetrics,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """Be one of ``connections`` from when the connection is made until it is lost."""
        super().__init__(
            manager,
            loop=loop,
            keepalive_timeout=KEEP_ALIVE,
            access_log=None,  # type: ignore[arg-type]  # aiohttp documents None, types Logger
            max_line_size=MAX_LINE,
            max_field_size=MAX_FIELD,
            max_headers=MAX_FIELDS,
            lingering_time=timeouts.LINGER,
            auto_decompress=False,  # no decompression, no bomb
        )
        self._connections = connections
        self._metrics = metrics
        self._stall: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a request of which nothing has been understood yet."""
        return self._waiter is not None and not self._waiter.done() and not self._messages

    def abort(self) -> None:
        """Cut the connection."""
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be counted."""
        self._connections.add(self)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection."""
        self._connections.discard(self)
        self._end_stall()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Give a client that does not read a while."""
        super().pause_writing()
        self._stall = self._loop.call_later(WRITE_STALL, self.abort)

    def resume_writing(self) -> None:
        """Let it off."""
        self._end_stall()
        super().resume_writing()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it quotes the request; ours does not
    ) -> web.StreamResponse:
        """Answer what was no request, or what went wrong around the middleware; then close.

        Raises:
            ConnectionError: Part of an answer is on its way already.
        """
        if request.writer.output_size > 0:
            raise ConnectionError("part of an answer is on its way, no other can follow") from exc
        problem, name = explain(status, exc), identify(request)
        if problem.status >= 500:  # noqa: PLR2004
            self._metrics.exceptions.inc()
            _log.error("request failed outside the middleware", request_id=name, exc_info=exc)
        self._metrics.malformed(problem.status)
        response = problem.response(name)
        sign(response, name)
        say_goodbye(response)
        return response

    def _end_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None


def explain(status: int, error: BaseException | None) -> Problem:
    """Return the problem for an error that aiohttp met before or after the middleware."""
    if isinstance(error, LineTooLong):
        if str(error.args[1]) == str(MAX_LINE):
            return Problem(414, f"The request line is longer than {MAX_LINE} bytes.")
        return Problem(431, f"A header field is longer than {MAX_FIELD} bytes.")
    if isinstance(error, BadHttpMessage):
        if "Too many" in error.message:
            return Problem(431, f"There are more than {MAX_FIELDS} header fields.")
        return Problem(400, "This is no HTTP request as RFC 9112 has it.")
    return Problem(status, INTERNAL if status >= 500 else "")  # noqa: PLR2004
