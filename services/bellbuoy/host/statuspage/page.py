"""The status page on the admin port: its files, and the stream that keeps it alive.

Law of this file: nothing here waits for a worker, and what the browser runs comes from here only
(the policy says so). The page is made for who may read the port; the guard decides who that is.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from typing import cast

import structlog
from aiohttp import hdrs, web
from aiohttp_sse import EventSourceResponse

from bellbuoy.host import guard
from bellbuoy.host.statuspage.assets import INDEX, Asset, assets
from bellbuoy.host.statuspage.feed import Feed
from bellbuoy.host.statuspage.recorder import Recorder
from bellbuoy.host.web import Problem, Traffic
from bellbuoy.host.web.answer import SERVER
from bellbuoy.snapshot import Snapshot

TICK = 1.0
"""Seconds between two moments: what happens shows within two."""

SEND = 10.0
"""Seconds after which a reader who takes nothing is cut off."""

HEADERS = {
    **guard.HEADERS,
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""On all that the page consists of."""

_log = structlog.get_logger("bellbuoy.host.statuspage")


class StatusPage:
    """The page of one service.

    Args:
        service: The service's name.
        take: Returns a snapshot.
        traffic: Where its streams are noted, and which says when the admin process drains.
    """

    def __init__(self, service: str, take: Callable[[], Snapshot], traffic: Traffic) -> None:
        """Remember nothing yet."""
        self._recorder = Recorder(service, take, time.monotonic, time.time)
        self._traffic = traffic
        self._feed = Feed()

    def routes(self) -> list[web.RouteDef]:
        """Return what the page consists of."""
        return [
            web.get("/", self._index),
            web.get("/page/{name}", self._file),
            web.get("/events", self._events, allow_head=False),
        ]

    @asynccontextmanager
    async def recording(self) -> AsyncIterator[None]:
        """Record every second; streams end when the admin process drains."""
        task = asyncio.create_task(self._record(), name="statuspage.record")
        try:
            yield
        finally:
            self._feed.close()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _record(self) -> None:
        while not self._traffic.draining:
            try:
                self._tick()
            except Exception:  # noqa: BLE001 - a page that stands still would be believed
                _log.exception("recording failed")
            await asyncio.sleep(TICK)
        self._feed.close()

    def _tick(self) -> None:
        """Record; the words of it are made for whoever reads them."""
        if self._feed.is_read:
            self._feed.publish(self._recorder.tick())
        else:
            self._recorder.record()

    async def _index(self, request: web.Request) -> web.Response:
        return _answer(request, assets()[INDEX])

    async def _file(self, request: web.Request) -> web.Response:
        asset = assets().get(request.match_info["name"])
        if asset is None:
            raise Problem(404, "There is nothing at this path.")
        return _answer(request, asset)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Stream until the reader goes, takes nothing, or the admin process drains."""
        with self._feed.seat():
            # The stream has no end that a deadline could wait for; each write has.
            self._traffic.endure(cast("asyncio.Task[object]", asyncio.current_task()))
            response = EventSourceResponse(headers=HEADERS, send_timeout=SEND)
            response.headers[hdrs.CACHE_CONTROL] = "no-store"
            response.headers[hdrs.SERVER] = SERVER  # the middleware comes too late
            with suppress(ConnectionError, TimeoutError):  # the reader is gone
                await response.prepare(request)
                async with response, aclosing(self._feed.texts()) as texts:
                    await response.send(self._recorder.past().decode(), event="past", retry=1000)
                    async for text in texts:
                        await response.send(text.decode(), event="now")
        return response


def _answer(request: web.Request, asset: Asset) -> web.Response:
    headers = {
        **HEADERS,
        hdrs.CONTENT_TYPE: asset.content_type,
        # Kept, and asked for again every time: the next release has the same names.
        hdrs.CACHE_CONTROL: "no-cache",
        hdrs.ETAG: asset.tag,
    }
    if asset.tag in request.headers.get(hdrs.IF_NONE_MATCH, ""):
        return web.Response(status=304, headers=headers)
    return web.Response(body=asset.body, headers=headers)
