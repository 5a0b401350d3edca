"""A small HTTP service on the host, with routes that misbehave when asked to."""

import asyncio
import gc
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from bellbuoy import RetryBudget, async_retry, host, retrymetrics
from bellbuoy.errors import Overloaded
from bellbuoy.host.web import FAMILIES, serve
from bellbuoy.metrics import counter
from bellbuoy.monitor import MAX_NAMES
from bellbuoy.settings import HostSettings, Port, load

REQUESTS = counter("web_requests_total", "Requests that were handled.")
CALL = "web.call"


@dataclass(frozen=True, kw_only=True)
class Settings(HostSettings):
    """Its ports, and a file without which it does not open; a folder that there is will do."""

    web_port: Port = 7778
    web_admin_port: Port = 9778
    web_needs: str = "/"


async def block(request: web.Request) -> web.Response:
    """Stop the loop."""
    time.sleep(float(request.query["seconds"]))  # noqa: ASYNC251 - the very fault
    return web.Response(text="blocked\n")


async def fail(_: web.Request) -> web.Response:
    """Have a bug."""
    raise RuntimeError("on purpose")


async def refuse(_: web.Request) -> web.Response:
    """Be full."""
    raise Overloaded("full, on purpose", 1.0, "full")


async def collector(_: web.Request) -> web.Response:
    """Tell how the garbage collector is set."""
    return web.json_response([gc.get_freeze_count(), *gc.get_threshold()])


class Web:
    """The service."""

    name = "web"
    families = (REQUESTS, *FAMILIES, *retrymetrics.families((CALL,)))

    def __init__(self, needs: str) -> None:
        """Need a file."""
        self.needs = Path(needs)

    @asynccontextmanager
    async def open(self, worker: host.Worker) -> AsyncIterator[host.Server]:
        """Serve the routes."""
        if not self.needs.exists():
            raise RuntimeError("not without its file, on purpose")
        requests = worker.instruments.counter(REQUESTS)
        measures = retrymetrics.RetryMeasures(worker.instruments, (CALL,))

        async def greet(request: web.Request) -> web.Response:
            requests.inc()
            return web.Response(text=f"Hello, {request.query.get('name', 'World')}!\n")

        async def wait(request: web.Request) -> web.Response:
            with worker.monitor.span("web.wait"):
                await asyncio.sleep(float(request.query["seconds"]))
            return web.Response(text="waited\n")

        @async_retry(
            on=ConnectionError,
            budget=RetryBudget(ratio=0, minimum=0),
            observe=measures.observer(CALL),
        )
        async def call(_: web.Request) -> web.Response:
            raise ConnectionError("on purpose")

        async def name(_: web.Request) -> web.Response:
            for number in range(MAX_NAMES + 1):
                with worker.monitor.span(f"web.made_up_{number}"):
                    pass
            return web.Response(text="named\n")

        async def stay(_: web.Request) -> web.Response:
            with worker.monitor.span("web.stay"):
                while True:
                    try:
                        await asyncio.sleep(60)
                    except asyncio.CancelledError:
                        continue

        app = web.Application()
        app.add_routes(
            [
                web.get("/", greet),
                web.get("/wait", wait),
                web.get("/block", block),
                web.get("/fail", fail),
                web.get("/refuse", refuse),
                web.get("/call", call),
                web.get("/name", name),
                web.get("/collector", collector),
                web.get("/stay", stay),
            ]
        )
        async with serve(app, worker.instruments) as server:
            yield server


if __name__ == "__main__":
    chosen = load(Settings, os.environ)
    host.run(Web(chosen.web_needs), chosen, port=chosen.web_port, admin_port=chosen.web_admin_port)
