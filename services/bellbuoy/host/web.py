"""An aiohttp application as a server on the host.

aiohttp's own sites and gunicorn workers are not used: they call ``listen()`` with a backlog of
128, wait twice for the shutdown, and know no drain that tells clients to go elsewhere.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from aiohttp import hdrs, web

from bellbuoy import timeouts
from bellbuoy.host.problem import problem
from bellbuoy.host.service import Server

KEEPALIVE = 75.0
"""Seconds an idle connection is kept: longer than any proxy in front keeps it (nginx: 60)."""

LIMITS: dict[str, Any] = {
    "access_log": None,
    "auto_decompress": False,
    "keepalive_timeout": KEEPALIVE,
    "lingering_time": timeouts.LINGER,
    "max_field_size": 8190,
    "max_headers": 64,
    "max_line_size": 8190,
}
"""What a request head may be: bytes a line, bytes a field, fields. A compressed body would be
a bomb, so it is not opened."""

_log = structlog.get_logger("bellbuoy.host.web")


class HttpServer(Server):
    """Serves an application; make it with :func:`serve`.

    Attributes:
        draining: Whether every response tells its client to go elsewhere.
    """

    def __init__(self, manager: web.Server) -> None:
        """Serve what ``manager`` handles."""
        self.draining = False
        self._manager = manager
        self._open: set[Connection] = set()
        self._empty = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    @property
    def connections(self) -> int:
        """Connections made and not lost."""
        return len(self._open)

    def protocol(self) -> "Connection":
        """Return the protocol of one new connection."""
        connection = Connection(self, self._manager, loop=self._loop, **LIMITS)
        self._open.add(connection)
        return connection

    def announce_drain(self) -> None:
        """Put ``Connection: close`` on every response from now on."""
        self.draining = True

    async def drain(self) -> None:
        """Answer each idle connection's next request for a second, then close those idle.

        Closing idle connections at once loses the request that is on its way on each of them.
        """
        await self._until_empty(timeouts.GRACE)
        self._manager.pre_shutdown()
        await self._until_empty(None)

    def abort(self) -> None:
        """Cut every connection that is left; its handler is cancelled."""
        for connection in tuple(self._open):
            connection.cut()

    def lost(self, connection: "Connection") -> None:
        """Forget a connection."""
        self._open.discard(connection)
        if not self._open:
            self._empty.set()

    async def prepare(self, _: web.Request, response: web.StreamResponse) -> None:
        """Hide versions and mark a connection's last response; a signal of the application."""
        del response.headers[hdrs.SERVER]
        if self.draining:
            # The header itself, because aiohttp has derived it before this signal.
            response.headers[hdrs.CONNECTION] = "close"
            response.force_close()

    async def _until_empty(self, seconds: float | None) -> None:
        self._empty.clear()
        if not self._open:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            pass


class Connection(web.RequestHandler):
    """aiohttp's connection, with problem details for what never reaches the application."""

    __slots__ = ("_http",)

    def __init__(self, http: HttpServer, manager: web.Server, **kwargs: Any) -> None:
        """Belong to ``http``; an unknown keyword is an error, never dropped."""
        super().__init__(manager, **kwargs)
        self._http = http

    def connection_lost(self, exc: BaseException | None) -> None:
        """Tell aiohttp and the server."""
        super().connection_lost(exc)
        self._http.lost(self)

    def close(self) -> None:
        """Close once nothing is being handled: at once when idle.

        aiohttp would only stop to wait for the next request, and leave the connection open.
        """
        is_idle = self._waiter is not None and not self._waiter.done()
        super().close()
        if is_idle:
            self.force_close()

    def cut(self) -> None:
        """Close the connection now and cancel its handler."""
        if self._task_handler is not None:
            self._task_handler.cancel()
        self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - aiohttp's text quotes the request's bytes
    ) -> web.StreamResponse:
        """Answer a malformed request, or a failure of the application's outermost layer."""
        if request.writer.output_size > 0:
            raise ConnectionError("the response has begun, its client cannot be told") from exc
        if status < 500:  # noqa: PLR2004
            _log.info("malformed request", error=type(exc).__name__)
            response = problem(status, "The request is not well-formed HTTP.")
        else:
            _log.error("request failed", exc_info=exc)
            response = problem(status, "The request could not be handled.")
        response.headers[hdrs.SERVER] = "bellbuoy"  # or aiohttp tells its version and Python's
        response.force_close()
        return response


@asynccontextmanager
async def serve(app: web.Application) -> AsyncIterator[HttpServer]:
    """Start ``app``, yield the server that serves it, and clean up."""
    # Handlers that outlive the drain get half a second to be cancelled, twice.
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    held: list[HttpServer] = []

    async def prepare(request: web.Request, response: web.StreamResponse) -> None:
        await held[0].prepare(request, response)

    app.on_response_prepare.append(prepare)
    await runner.setup()
    try:
        assert runner.server is not None  # noqa: S101 - setup made it
        held.append(HttpServer(runner.server))
        yield held[0]
    finally:
        await runner.cleanup()
