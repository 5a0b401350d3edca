"""The admin port: probes, metrics, tasks and the status page, served by a process of its own.

Law of this file: everything is answered from the scoreboard. The admin process holds no traffic
and asks no worker, so it answers while all of them are saturated, blocked or dead, and it can
be killed at any time.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
from aiohttp import hdrs, web

from bellbuoy.host.controls import Controls
from bellbuoy.host.exposition import Exposition
from bellbuoy.host.guard import Guard, guarded, seal
from bellbuoy.host.probes import is_live, is_ready
from bellbuoy.host.service import Server, Worker
from bellbuoy.host.statuspage import StatusPage
from bellbuoy.host.web import FAMILIES, Traffic, serve
from bellbuoy.instruments import Instruments
from bellbuoy.metrics import Family, Layout
from bellbuoy.scoreboard import Scoreboard
from bellbuoy.settings import HostSettings, read_secret
from bellbuoy.snapshot import Snapshot, take
from bellbuoy.taskview import view


class Admin:
    """The service on the admin port.

    Args:
        service: The name of the service beside it.
        settings: The host's settings.
        board: What it reads.

    Raises:
        SettingsError: The admin token cannot be read.
    """

    name = "admin"
    families: Sequence[Family] = ()

    def __init__(self, service: str, settings: HostSettings, board: Scoreboard) -> None:
        """Read nothing yet."""
        self._service = service
        self._watchdog = settings.watchdog_seconds
        self._board = board
        self._exposition = Exposition(service, settings, self._take)
        self._controls = Controls(board.commands, settings.log_level)
        self._guard = Guard(filter(None, settings.admin_names.split(",")), _token(settings))

    @asynccontextmanager
    async def open(self, _: Worker) -> AsyncIterator[Server]:
        """Serve the routes."""
        traffic = Traffic()
        page = StatusPage(self._service, self._take, traffic)
        app = web.Application(middlewares=[guarded(self._guard)])
        app.on_response_prepare.append(seal)
        app.add_routes(
            [
                web.get("/livez", self._livez),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
                web.get("/tasks", self._tasks),
                *page.routes(),
                *self._controls.routes(),
            ]
        )
        # Its own requests are nobody's traffic.
        instruments = Instruments(Layout(FAMILIES))
        async with page.recording(), serve(app, instruments, traffic) as server:
            yield server

    async def _livez(self, _: web.Request) -> web.Response:
        return _probe(is_live(self._take(), self._watchdog), "live", "not live")

    async def _readyz(self, _: web.Request) -> web.Response:
        return _probe(is_ready(self._take()), "ready", "not ready")

    async def _metrics(self, request: web.Request) -> web.Response:
        body, content_type = self._exposition.render(request.headers.get(hdrs.ACCEPT, ""))
        return web.Response(body=body, headers={hdrs.CONTENT_TYPE: content_type})

    async def _tasks(self, _: web.Request) -> web.Response:
        return _json(view(self._take()))

    def _take(self) -> Snapshot:
        return take(self._board)


def _token(settings: HostSettings) -> str | None:
    path = settings.admin_token_file
    return None if path is None else read_secret("BUOY_ADMIN_TOKEN_FILE", path)


def _probe(good: bool, yes: str, no: str) -> web.Response:  # noqa: FBT001
    return _json({"status": yes}) if good else _json({"status": no}, status=503)


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(value) + b"\n", status=status, content_type="application/json"
    )
