"""The protocol: aiohttp's, one for each connection, with every limit named.

aiohttp's own factory drops all limits with a warning when it does not know one of them; here an
unknown one is a TypeError. aiohttp has no deadline for a request's head or body; here a sweep of
the server looks at every connection now and then, and nothing is paid for each request.
"""

import asyncio
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http import HttpVersion11
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from bellbuoy import timeouts
from bellbuoy.host.connections import Connections
from bellbuoy.host.web import malformed
from bellbuoy.host.web.answer import end, sign
from bellbuoy.host.web.identity import Identities
from bellbuoy.host.web.plain import MOST_COPIED, serialize
from bellbuoy.host.web.problem import Problem
from bellbuoy.host.web.telemetry import HttpMetrics
from bellbuoy.host.web.traffic import Traffic

KEEP_ALIVE = 75.0
"""Seconds an idle connection stays open between requests: longer than the 60 s that load balancers
use, so that they close first and no request meets a closing connection."""

WRITE_STALL = timeouts.REQUEST
"""Seconds in which a client must read some of what waits for it, or it is cut."""

PROGRESS = 16 * 1024
"""Bytes that count as some: about one a millisecond."""

_log = structlog.get_logger("bellbuoy.host.web.protocol")


class HttpProtocol(RequestHandler):
    """One connection.

    Attributes:
        serving: The task of the request in progress, or of the last one.
        request_id: The id of that request.

    Args:
        manager: aiohttp's.
        connections: Where it is from when it is made until it is lost.
        traffic: The requests in flight.
        metrics: Where malformed requests and refusals are counted.
        identities: Names malformed requests.
    """

    __slots__ = (
        "_connections",
        "_heard",
        "_identities",
        "_is_parting",
        "_left_over",
        "_made",
        "_metrics",
        "_parted",
        "_read",
        "_stalled",
        "_traffic",
        "request_id",
        "serving",
    )

    def __init__(
        self,
        manager: web.Server,
        connections: "Connections[HttpProtocol]",
        traffic: Traffic,
        metrics: HttpMetrics,
        identities: Identities,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """Wait to be connected."""
        super().__init__(
            manager,
            loop=loop,
            keepalive_timeout=KEEP_ALIVE,
            access_log=None,  # type: ignore[arg-type]  # aiohttp documents None, types Logger
            max_line_size=malformed.MAX_LINE,
            max_field_size=malformed.MAX_FIELD,
            max_headers=malformed.MAX_FIELDS,
            lingering_time=timeouts.LINGER,
            auto_decompress=False,  # no decompression, no bomb
        )
        self._connections = connections
        self._traffic = traffic
        self._metrics = metrics
        self._identities = identities
        self.serving: asyncio.Task[Any] | None = None
        self.request_id = ""
        self._made = 0.0
        # Since when a part of a head is there, answers are left unread, a body is being read and
        # whose it is, and our side of the connection is closed; 0 for not at all.
        self._heard = 0.0
        self._stalled = 0.0
        self._left_over = 0
        self._read: tuple[float, web.BaseRequest] | None = None
        self._is_parting = False
        self._parted = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a request of which nothing has been understood yet."""
        return self._waiter is not None and not self._waiter.done() and not self._messages

    def abort(self) -> None:
        """Cut the connection."""
        if self.transport is not None:
            self.transport.abort()

    def part(self) -> None:
        """Take no further request; read on, after the last answer, until the client has it.

        A connection closed with something unread is reset, and a reset destroys what the client
        has not read yet (RFC 9112, section 9.6).
        """
        self._is_parting = True
        # For aiohttp: begin nothing, and leave the connection alone.
        self._force_close = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be counted."""
        self._connections.add(self)
        self._made = self._loop.time()
        super().connection_made(transport)
        if self._task_handler is not None:
            self._task_handler.add_done_callback(self._ended)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection; what was done for it alone is cancelled."""
        self._connections.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, and note when it begins a request without completing its head."""
        super().data_received(data)
        waiter = self._waiter
        if self._release_error():
            if waiter is None:
                self._break_body()
        elif waiter is None or waiter.done():
            self._heard = 0.0
        elif data and not self._heard:
            self._heard = self._loop.time()

    def pause_writing(self) -> None:
        """Give a client that does not read a while."""
        super().pause_writing()
        self._stalled = self._loop.time()
        self._left_over = self._unsent()

    def resume_writing(self) -> None:
        """Let it off."""
        self._stalled = 0.0
        super().resume_writing()

    def look(self, now: float) -> None:
        """Keep the deadlines; called now and then with the loop's time."""
        if self._parted:
            if now - self._parted >= timeouts.LINGER:
                self.abort()
        elif self._stalled and self._is_stalled(now):
            self._metrics.rejected("write")
            self.abort()
        elif self.is_idle:
            self._look_at_head(now)
        elif self._current_request is not None:
            self._look_at_body(now, self._current_request)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Write an answer; return it, and whether its client has left."""
        data = None if self._upgraded else serialize(request, resp, self.request_id)
        if data is None:
            sign(resp, self.request_id)
            finished = await super().finish_response(request, resp, start_time)
            self._release_error()  # what came behind an upgrade is parsed only now
            return finished
        request._finish()  # noqa: SLF001 - as aiohttp's own does
        transport = self.transport
        if transport is None or transport.is_closing():
            return resp, True
        transport.write(data)
        body: Any = resp._body  # noqa: SLF001
        if len(body) > MOST_COPIED and not transport.is_closing():
            transport.write(body)
        if self._paused:
            try:
                await self._drain_helper()
            except ConnectionError:
                return resp, True
        return resp, False

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
        # aiohttp takes what it did not understand for HTTP/1.0.
        request._version = HttpVersion11  # noqa: SLF001
        problem = malformed.explain(status, exc)
        self.request_id = self._identities.identify(request)
        if problem.status >= 500:  # noqa: PLR2004
            self._metrics.failed("none", exc or RuntimeError())
            _log.error(
                "request failed outside the middleware", request_id=self.request_id, exc_info=exc
            )
        self._metrics.malformed(problem.status)
        response = problem.response(self.request_id)
        end(request, response)
        return response

    def _release_error(self) -> bool:
        """Return whether what came last is malformed; its error keeps no data then."""
        if not self._messages or type(error := self._messages[-1][0]) is not _ErrInfo:
            return False
        malformed.release(error.exc)
        return True

    def _look_at_head(self, now: float) -> None:
        is_first = self._request_count == 0
        answered = self._next_keepalive_close_time - self.keepalive_timeout
        if now - (self._made if is_first else self._heard or answered) < timeouts.HEAD:
            return
        if malformed.has_begun(self._parser):
            self._metrics.rejected("header")
            self._messages.append((_ErrInfo(408, malformed.TooSlow("too slow"), ""), EMPTY_PAYLOAD))
            self._waiter.set_result(None)  # type: ignore[union-attr]  # it is idle
        elif is_first:
            self._metrics.rejected("silent")
            self.force_close()
        else:
            self._heard = 0.0  # empty lines, which may come before a request

    def _look_at_body(self, now: float, request: web.BaseRequest) -> None:
        # A body that waits until somebody reads it is not late.
        if request.content.is_eof() or self._reading_paused:
            self._read = None
        elif self._read is None or self._read[1] is not request:
            self._read = now, request
        elif now - self._read[0] >= timeouts.BODY and self.serving is not None:
            self._metrics.rejected("body")
            self._read = None
            self._traffic.end(self.serving, Problem(408, "The body did not come in time."))

    def _break_body(self) -> None:
        """Answer the request whose body turned out to be broken, and none after it.

        aiohttp would leave it waiting for the rest, and answer what is left as a request.
        """
        request, serving = self._current_request, self.serving
        if request is None or serving is None or request.content.is_eof():
            return
        self._messages.clear()
        self.part()
        self._traffic.end(serving, Problem(400, "The body is not framed as RFC 9112 has it."))

    def _is_stalled(self, now: float) -> bool:
        left = self._unsent()
        if left <= self._left_over - PROGRESS:
            self._stalled, self._left_over = now, left
        return now - self._stalled >= WRITE_STALL

    def _unsent(self) -> int:
        return self.transport.get_write_buffer_size() if self.transport is not None else 0

    def _ended(self, _: "asyncio.Task[None]") -> None:
        """Close our side after the last answer, and wait for the client's."""
        transport = self.transport
        if not self._is_parting or transport is None:
            return
        self._parted = self._loop.time()
        if self._reading_paused or self._buffer_paused:
            transport.resume_reading()
        if not transport.can_write_eof():
            transport.close()
            return
        try:
            transport.write_eof()
        except OSError:
            # The client has reset the connection, and asyncio has not noticed yet.
            transport.abort()
