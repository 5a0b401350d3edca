"""The server: aiohttp's connections within one worker, fed and ended by the host."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import cast

import structlog
from aiohttp import http_parser, web
from aiohttp.typedefs import Handler

from bellbuoy import timeouts
from bellbuoy.errors import EnvironmentFault
from bellbuoy.host.connections import Connections
from bellbuoy.host.service import Server
from bellbuoy.host.web.accesslog import AccessLog
from bellbuoy.host.web.identity import Identities
from bellbuoy.host.web.middleware import Middleware
from bellbuoy.host.web.protocol import HttpProtocol
from bellbuoy.host.web.shortcuts import Shortcuts
from bellbuoy.host.web.telemetry import METHODS, HttpMetrics
from bellbuoy.host.web.traffic import Traffic
from bellbuoy.instruments import Instruments

LOOK = 0.05
"""Seconds between two looks at what is left of a drain."""

WATCH = 0.5
"""Seconds between two looks at every connection, and so the most by which a deadline is late."""

CLEANUP = 1.0
"""Seconds aiohttp may wait for a handler that was cut; it waits twice."""

_log = structlog.get_logger("bellbuoy.http")


class HttpServer(Server):
    """Serves HTTP/1.1.

    Args:
        manager: aiohttp's, from a runner that was set up.
        traffic: The requests in flight.
        metrics: Where malformed requests are counted.
        identities: Names requests.
        ready: Returns once traffic may be sent here.
    """

    def __init__(
        self,
        manager: web.Server,
        traffic: Traffic,
        metrics: HttpMetrics,
        identities: Identities,
        ready: Callable[[], Awaitable[None]],
    ) -> None:
        """Have no connection yet."""
        self._manager = manager
        self._traffic = traffic
        self._metrics = metrics
        self._identities = identities
        self._ready = ready
        self._loop = asyncio.get_running_loop()
        self._connections: Connections[HttpProtocol] = Connections()

    @property
    def connections(self) -> Connections[HttpProtocol]:
        """Connections that are open now."""
        return self._connections

    def protocol(self) -> HttpProtocol:
        """Return the protocol of one new connection."""
        return HttpProtocol(
            self._manager,
            self._connections,
            self._traffic,
            self._metrics,
            self._identities,
            self._loop,
        )

    async def ready(self) -> None:
        """Return once traffic may be sent here."""
        await self._ready()

    def announce_drain(self) -> None:
        """Say ``Connection: close`` in every response from now on."""
        self._traffic.draining = True

    async def drain(self) -> None:
        """Finish what is in flight, close every connection, and return when none is left.

        An idle connection has its next request answered for :data:`~bellbuoy.timeouts.GRACE`
        seconds: closed at once, it would lose the request that is on its way.
        """
        grace = self._loop.time() + timeouts.GRACE
        while len(self._connections) or self._traffic.in_flight:
            if self._loop.time() >= grace:
                self._close_idle()
            await asyncio.sleep(LOOK)

    def abort(self) -> None:
        """Cancel what is in flight and cut every connection."""
        self._traffic.cancel()
        for connection in self._connections:
            connection.abort()

    async def watch(self) -> None:
        """Keep the connections' deadlines until cancelled."""
        while True:
            await asyncio.sleep(WATCH)
            self._look()

    def _look(self) -> None:
        """Keep every deadline, whatever becomes of one: whose cannot be kept is cut."""
        now, errors = self._loop.time(), list[Exception]()
        for connection in self._connections:
            try:
                connection.look(now)
            except Exception as error:  # noqa: BLE001 - it would end every deadline of the worker
                errors.append(error)
                connection.abort()
        if errors:
            # One line a look, however many.
            _log.error("deadlines failed", connections=len(errors), exc_info=errors[0])

    def _close_idle(self) -> None:
        for connection in self._connections:
            if connection.is_idle:
                connection.force_close()


async def at_once() -> None:
    """Be ready."""


@asynccontextmanager
async def serve(
    app: web.Application,
    instruments: Instruments,
    traffic: Traffic | None = None,
    ready: Callable[[], Awaitable[None]] = at_once,
    *,
    access_log_sample: float = 0.0,
) -> AsyncIterator[HttpServer]:
    """Run an application, surrounded by the middleware, and yield its server.

    Args:
        app: What answers.
        instruments: Where it is counted; with :data:`~bellbuoy.host.web.FAMILIES`.
        traffic: Where its requests in flight are noted, if the application wants to know.
        ready: Returns once traffic may be sent here.
        access_log_sample: The share of requests that have a line in the log in any case.

    Shutdown: what is still in flight is cancelled; the host has drained before.
    """
    _require_c_parser()
    traffic = traffic or Traffic()
    metrics = _metrics(app, instruments, traffic)
    runner = web.AppRunner(app, shutdown_timeout=CLEANUP, handler_cancellation=True)
    await runner.setup()
    manager = cast("web.Server", runner.server)
    handler = cast("Handler", manager.request_handler)
    log = AccessLog(access_log_sample)
    instruments.before_flush(log.tell)
    middleware = Middleware(handler, traffic, metrics, log, Shortcuts(app))
    manager.request_handler = middleware  # type: ignore[assignment]  # aiohttp types BaseRequest
    server = HttpServer(manager, traffic, metrics, middleware.identities, ready)
    sweeps = (
        asyncio.create_task(traffic.sweep(), name="http.deadlines"),
        asyncio.create_task(server.watch(), name="http.connections"),
    )
    try:
        yield server
    finally:
        for sweep in sweeps:
            sweep.cancel()
            with suppress(asyncio.CancelledError):
                await sweep
        await runner.cleanup()
        log.tell(last=True)


def _require_c_parser() -> None:
    # aiohttp's parser in Python has had request smuggling faults that the one in C has not.
    if not hasattr(http_parser, "HttpRequestParserC"):
        raise EnvironmentFault(
            "aiohttp runs without its C parser: install a wheel, and unset AIOHTTP_NO_EXTENSIONS"
        )


def _metrics(app: web.Application, instruments: Instruments, traffic: Traffic) -> HttpMetrics:
    metrics = HttpMetrics(instruments)
    instruments.before_flush(lambda: metrics.in_flight.set(traffic.in_flight))
    for route in app.router.routes():
        if route.resource is not None and route.method in METHODS:
            metrics.declare(route.method, route.resource.canonical)
    return metrics
