"""The middleware: what surrounds every request, malformed ones excepted.

It gives the request its id and its deadline, counts it, makes a problem of every error, and
tells the client to go elsewhere while the service drains. It stands around the application and
not in its list of middlewares, because aiohttp answers some requests before it comes to those
(an unknown ``Expect``).
"""

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable
from typing import cast

import structlog
from aiohttp import web

from bellbuoy.host.web.problem import Problem, translate, unavailable
from bellbuoy.host.web.telemetry import NO_ROUTE, HttpMetrics
from bellbuoy.host.web.traffic import Traffic

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

REQUEST_ID = "X-Request-Id"
SERVER = "bellbuoy"
SLOW = 1.0
"""Seconds after which an answer is worth a line in the log."""

# What UUIDs, ULIDs and trace ids consist of; anything else might be an attack on a log.
_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

_log = structlog.get_logger("bellbuoy.host.web")


class Middleware:
    """Handles requests through ``handler``, and makes an answer of every error.

    Args:
        handler: The application.
        traffic: Where requests in flight are noted.
        metrics: Where they are counted.
    """

    def __init__(self, handler: Handler, traffic: Traffic, metrics: HttpMetrics) -> None:
        """Surround ``handler``."""
        self._handler = handler
        self._traffic = traffic
        self._metrics = metrics

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Answer one request.

        Raises:
            ConnectionError: It failed in the middle of its answer; the connection is to be closed.

        Cancellation: a request that overran its deadline is answered with 503; any other
        cancellation goes on.
        """
        task = cast("asyncio.Task[object]", asyncio.current_task())
        request_id = identify(request)
        start = self._traffic.enter(task)
        try:
            response = await self._answer(request, task, request_id)
        finally:
            self._traffic.leave(task)
        self._finish(request, response, request_id, self._traffic.clock() - start)
        return response

    async def _answer(
        self, request: web.Request, task: "asyncio.Task[object]", request_id: str
    ) -> web.StreamResponse:
        try:
            return await self._handler(request)
        except web.HTTPRedirection as redirection:
            return web.Response(status=redirection.status, headers=redirection.headers)
        except asyncio.CancelledError:
            if not self._traffic.overran(task):
                self._metrics.aborted.inc()
                raise
            problem = unavailable("The answer took too long.", 1.0)
        except Exception as error:  # noqa: BLE001 - the one place where every error is answered
            problem = self._explain(error, request_id)
        if request.writer.output_size > 0:
            self._metrics.aborted.inc()
            raise ConnectionError("part of an answer is on its way, no other can follow")
        return problem.response(request_id)

    def _explain(self, error: Exception, request_id: str) -> Problem:
        problem = translate(error)
        if problem.status == 500 and not isinstance(error, Problem):  # noqa: PLR2004
            self._metrics.exceptions.inc()
            _log.error("request failed", request_id=request_id, exc_info=error)
        return problem

    def _finish(
        self, request: web.Request, response: web.StreamResponse, request_id: str, seconds: float
    ) -> None:
        sign(response, request_id)
        if self._traffic.draining:
            say_goodbye(response)
        route = template(request)
        self._metrics.answered(request.method, route, response.status, seconds)
        if seconds > SLOW and not is_stream(response):
            _log.warning(
                "slow request",
                request_id=request_id,
                method=request.method,
                route=route,
                status=response.status,
                seconds=round(seconds, 3),
            )


def identify(request: web.BaseRequest) -> str:
    """Return the request's id: the client's if it is well-formed, else a new one."""
    given = request.headers.get(REQUEST_ID)
    if given and _WELL_FORMED.fullmatch(given):
        return given
    return secrets.token_hex(8)


def template(request: web.Request) -> str:
    """Return the template of the route that took the request."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else NO_ROUTE


def is_stream(response: web.StreamResponse) -> bool:
    """Return whether an answer goes on for as long as somebody listens."""
    return response.content_type == "text/event-stream"


def sign(response: web.StreamResponse, request_id: str) -> None:
    """Put on a response what every response carries."""
    headers = response.headers
    headers[REQUEST_ID] = request_id
    headers["Server"] = SERVER
    headers["X-Content-Type-Options"] = "nosniff"


def say_goodbye(response: web.StreamResponse) -> None:
    """Make this the connection's last response, and say so.

    Both are needed: the header tells the client, the flag tells aiohttp.
    """
    response.headers["Connection"] = "close"
    response.force_close()
