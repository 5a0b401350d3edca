"""Status: what the api says about itself to clients."""

from typing import Literal

import msgspec
from aiohttp import web

from bellbuoy import __version__
from bellbuoy.host.web import Traffic

_HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store"}


class Health(msgspec.Struct, frozen=True):
    """Whether to go on sending."""

    status: Literal["healthy", "draining"]


class Version(msgspec.Struct, frozen=True):
    """Which release this is."""

    service: str
    version: str


def _json(content: msgspec.Struct) -> bytes:
    return msgspec.json.encode(content) + b"\n"


_HEALTHY = _json(Health("healthy"))
_DRAINING = _json(Health("draining"))
_VERSION = _json(Version("api", __version__))


class Status:
    """Answers ``GET /health`` and ``GET /version``.

    Health is about this worker as clients need it: whether to go on sending. Whether PostgreSQL
    answers is told by the routes that need it; probes go to the admin port.
    """

    def __init__(self, traffic: Traffic) -> None:
        """Tell whether ``traffic`` is draining."""
        self._traffic = traffic

    async def health(self, _: web.Request) -> web.Response:
        """Answer 200, and 503 while draining."""
        if self._traffic.draining:
            return web.Response(body=_DRAINING, status=503, headers=_HEADERS)
        return web.Response(body=_HEALTHY, headers=_HEADERS)

    async def version(self, _: web.Request) -> web.Response:
        """Answer which release this is."""
        return web.Response(body=_VERSION, headers=_HEADERS)
