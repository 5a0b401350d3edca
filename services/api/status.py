"""Status: what the api says about itself to clients."""

from aiohttp import web

from bellbuoy import __version__
from bellbuoy.host.web import Traffic

_HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store"}
_VERSION = b'{"service":"api","version":"%s"}\n' % __version__.encode()


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
            return web.Response(body=b'{"status":"draining"}\n', status=503, headers=_HEADERS)
        return web.Response(body=b'{"status":"healthy"}\n', headers=_HEADERS)

    async def version(self, _: web.Request) -> web.Response:
        """Answer which release this is."""
        return web.Response(body=_VERSION, headers=_HEADERS)
