"""The middleware: what surrounds every request, malformed ones excepted.

It is the one place on a request's path for what concerns all of them: the request's id, its
deadline, the counting, the log, a problem for every error, and a goodbye while the
service drains. It stands around the application and not in its list of middlewares, because each
of those costs as much as all of this, and aiohttp answers some requests before it comes to them
(an unknown ``Expect``).
"""

import asyncio
from typing import Any, cast

import structlog
from aiohttp import web
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.typedefs import Handler

from bellbuoy import logcontext
from bellbuoy.errors import Overloaded
from bellbuoy.host.web.accesslog import SLOW, AccessLog, Answered
from bellbuoy.host.web.admission import METHODS, Inadmissible, admit, is_last
from bellbuoy.host.web.answer import end, say_goodbye
from bellbuoy.host.web.identity import Identities, told, trace
from bellbuoy.host.web.malformed import release
from bellbuoy.host.web.problem import Problem, translate, unknown
from bellbuoy.host.web.shortcuts import Shortcuts
from bellbuoy.host.web.telemetry import NO_ROUTE, HttpMetrics, template
from bellbuoy.host.web.traffic import LATE, Traffic

_ENDS = frozenset({408, 413})
"""Statuses after which nobody shall have to wait for the rest of a body."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, section 9.2.1)."""

_TOO_OFTEN = 429

_log = structlog.get_logger("bellbuoy.host.web")


class Middleware:
    """Handles requests through ``handler``, and makes an answer of every error.

    Args:
        handler: The application.
        traffic: Where requests in flight are noted.
        metrics: Where they are counted.
        log: Where they are told.
        shortcuts: Which of them need not be searched for.
    """

    def __init__(
        self,
        handler: Handler,
        traffic: Traffic,
        metrics: HttpMetrics,
        log: AccessLog | None = None,
        shortcuts: Shortcuts | None = None,
    ) -> None:
        """Surround ``handler``."""
        self._handler = handler
        self._traffic = traffic
        self._metrics = metrics
        self._log = log or AccessLog()
        self._shortcut = shortcuts.find if shortcuts else _none
        self.identities = Identities()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Answer one request.

        Raises:
            ConnectionError: It failed in the middle of its answer; the connection is to be closed.

        Cancellation: a request that overran a deadline is answered; any other cancellation goes
        on, and so a client that leaves ends what was done for it alone.
        """
        # There is one: it runs this. To find the loop costs a system call before Python 3.12.
        task: Any = asyncio.current_task(request._loop)  # noqa: SLF001
        protocol: Any = request._protocol  # noqa: SLF001 - of a class of ours, without a call
        request_id = self.identities.identify(request)
        logcontext.current.set((told, request_id, request.headers))
        start = self._traffic.enter(task)
        protocol.serving, protocol.request_id = task, request_id
        try:
            admit(request)
            if (match := self._shortcut(request)) is not None:
                # What aiohttp's application would do.
                request._match_info = match  # noqa: SLF001
                response = await match.handler(request)
            else:
                response = await self._handler(request)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - every error is answered
            response = self._answer(request, task, request_id, error)
        finally:
            self._traffic.leave(task)
        self._finish(request, response, request_id, self._traffic.clock() - start)
        return response

    def _answer(
        self,
        request: web.Request,
        task: "asyncio.Task[object]",
        request_id: str,
        error: BaseException,
    ) -> web.StreamResponse:
        """Return the answer to a request that raised.

        Raises:
            CancelledError: The request was cancelled, and not for a deadline.
            ConnectionError: Nobody is there to read it, or it is not the first.
        """
        if isinstance(error, web.HTTPRedirection):
            return web.Response(status=error.status, headers=error.headers)
        if isinstance(error, asyncio.CancelledError):
            verdict = self._traffic.verdict(task)
            if verdict is None:
                self._metrics.aborted.inc()
                try:
                    raise error
                finally:
                    del error  # this frame will be in its traceback: a ring, with all of the body
            # A write goes on without its request, so nobody can say that nothing was done.
            is_unknown = verdict is LATE and request.method not in _SAFE
            problem = unknown() if is_unknown else verdict
        elif request.transport is None:
            # Reading the body of a client that has left fails somehow, and is no bug.
            self._metrics.aborted.inc()
            raise ConnectionError("the client has left") from error
        elif request.rel_url.raw_path == "*":
            # The server itself (RFC 9110, section 9.3.7): only OPTIONS comes this far.
            return web.Response(status=204, headers={"Allow": METHODS})
        else:
            problem = self._explain(request, cast("Exception", error), request_id)
            if isinstance(error, web.HTTPException):
                release(error)
        if request.writer.output_size > 0:
            self._metrics.aborted.inc()
            raise ConnectionError("part of an answer is on its way, no other can follow")
        known = trace(request)
        response = problem.response(request_id, known.trace_id if known else "")
        if isinstance(problem, Inadmissible) or is_unread(request, problem.status):
            end(request, response)
        return response

    def _explain(self, request: web.Request, error: Exception, request_id: str) -> Problem:
        problem = translate(error)
        if isinstance(error, Overloaded):
            self._metrics.rejected(error.reason)
        elif problem.status == _TOO_OFTEN:
            self._metrics.rejected("rate")
        elif problem.status == 500 and not isinstance(error, Problem):  # noqa: PLR2004
            route = _route(request)
            self._metrics.failed(route, error)
            known = trace(request)
            _log.error(
                "request failed",
                request_id=request_id,
                route=route,
                exc_info=error,
                **({"trace_id": known.trace_id} if known else {}),
            )
        return problem

    def _finish(
        self, request: web.Request, response: web.StreamResponse, request_id: str, seconds: float
    ) -> None:
        if self._traffic.draining:
            say_goodbye(response)
        if is_last(request) and not response.prepared:
            end(request, response)
        status, sent = response._status, size(response)  # noqa: SLF001 - as above
        received = 0 if request._payload is EMPTY_PAYLOAD else request.content_length or 0  # noqa: SLF001
        if request._match_info is None:  # noqa: SLF001 - it never came to the router
            self._metrics.malformed(status)
        else:
            self._metrics.answered(request, status, seconds, received, sent)
        if seconds > SLOW and is_stream(response):
            seconds = 0.0  # it is not slow: it goes on for as long as somebody listens
        event = self._log.event(status, seconds)
        if event is not None:
            answered = Answered(request_id, _route(request), status, seconds, sent)
            self._log.write(event, request, answered)


def _none(_: web.BaseRequest) -> None:
    """Know no shortcut."""


def _route(request: web.Request) -> str:
    return NO_ROUTE if request._match_info is None else template(request)  # noqa: SLF001


def size(response: web.StreamResponse) -> int:
    """Return the bytes of a response's body, as far as they are known before it is written."""
    body = response._body if isinstance(response, web.Response) else None  # noqa: SLF001
    return len(body) if isinstance(body, bytes | bytearray) else 0


def is_stream(response: web.StreamResponse) -> bool:
    """Return whether an answer goes on for as long as somebody listens."""
    return response.content_type == "text/event-stream"


def is_unread(request: web.BaseRequest, status: int) -> bool:
    """Return whether an error may leave a body behind that never ends."""
    return status in _ENDS or (status == 400 and not request.content.is_eof())  # noqa: PLR2004
