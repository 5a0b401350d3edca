"""Smuggling through real proxies: what one of them sends as one request is one request here."""

import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from aiohttp import web

from bellbuoy.host.web.telemetry import REQUESTS
from tests.api.serving import Served, served_app
from tests.integration.fronts import Front, Haproxy, Nginx, exchange
from tests.integration.hostile import SECOND, corpus

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize(
        "front",
        [
            pytest.param(
                front,
                id=front.program[0],
                marks=pytest.mark.skipif(
                    "CI" not in os.environ and not shutil.which(front.program[0]),
                    reason=f"needs {front.program[0]}",
                ),
            )
            for front in (Haproxy(), Nginx())
        ],
    ),
]


class Seen:
    """An application that keeps account of what it is asked."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.requests: Counter[str] = Counter()
        self.app = web.Application(client_max_size=64 * 1024)
        self.app.router.add_route("*", "/{path:.*}", self._respond)

    async def _respond(self, request: web.Request) -> web.Response:
        await request.read()
        self.requests[request.path] += 1
        return web.Response(text=request.headers.get("Authorization", "nobody"))


async def counted(served: Served) -> int:
    """Return how many requests the server answered, malformed ones included."""
    names = served.instruments.names
    return int(
        sum(
            served.instruments.counter(REQUESTS, method=method, route=route, status=status).value
            for method, route, status in names(REQUESTS).entries()
        )
    )


def test_the_proxy_is_there(front: Front) -> None:
    """CI installs it; elsewhere these tests are left out."""
    name = front.program[0]
    version = subprocess.run([name, "-v"], capture_output=True, text=True, check=True)
    assert name in (version.stdout + version.stderr).lower()


async def test_every_request_that_the_proxy_sends_is_one_here(front: Front, tmp_path: Path) -> None:
    """Over shared connections, with a request hidden behind each hostile one."""
    seen = Seen()
    async with served_app(seen.app) as served, front.before(served.address, tmp_path):
        for hostile in corpus():
            if len(hostile.data) > 20_000:
                continue
            before, began = await counted(served), await front.sent(tmp_path)
            await exchange(tmp_path / "front", hostile.data + SECOND)
            answered, asked = await counted(served) - before, await front.sent(tmp_path) - began
            assert answered <= asked, hostile.name
        assert await counted(served) > 50


async def test_no_field_of_one_request_reaches_the_next(front: Front, tmp_path: Path) -> None:
    """A trailer is not a header of whoever comes next on the proxy's connection."""
    seen = Seen()
    smuggled = (
        b"POST /first HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"1\r\nx\r\n0\r\nAuthorization: Bearer stolen\r\n\r\n"
    )
    innocent = b"GET /next HTTP/1.1\r\nHost: t\r\n\r\n"
    async with served_app(seen.app) as served, front.before(served.address, tmp_path):
        for _ in range(5):
            await exchange(tmp_path / "front", smuggled)
            received = await exchange(tmp_path / "front", innocent)
            assert received.endswith(b"nobody")
        assert seen.requests == {"/first": 5, "/next": 5}
