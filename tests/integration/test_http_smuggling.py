"""Smuggling through a real proxy: what HAProxy sends as one request is one request here."""

import asyncio
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from bellbuoy.host.web.telemetry import REQUESTS
from tests.api.serving import Served, served_app
from tests.integration.hostile import SECOND, corpus
from tests.waiting import PATIENCE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "CI" not in os.environ and not shutil.which("haproxy"), reason="needs haproxy"
    ),
]

SILENCE = 0.15
"""Seconds after which no further answer is expected; too short only hides what would fail."""

CONFIG = """
global
    stats socket {folder}/stats mode 600 level operator
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 20s
    option http-keep-alive
    http-reuse always
    option accept-invalid-http-request
frontend public
    bind unix@{folder}/front
    default_backend behind
backend behind
    server one {host}:{port} maxconn 4
"""


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


@asynccontextmanager
async def proxied(served: Served, folder: Path) -> AsyncIterator[Path]:
    """Run HAProxy in front of a server; yield the folder with its sockets."""
    config = folder / "haproxy.cfg"
    host, port = served.address
    config.write_text(CONFIG.format(folder=folder, host=host, port=port))
    process = await asyncio.create_subprocess_exec("haproxy", "-db", "-q", "-f", str(config))
    try:
        async with asyncio.timeout(20):
            while not (folder / "front").exists():  # noqa: ASYNC110 - it says nothing
                await asyncio.sleep(0.02)
        yield folder
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 20)


async def exchange(socket: Path, data: bytes) -> bytes:
    """Return all that comes back, until the end or a moment of silence."""
    reader, writer = await asyncio.open_unix_connection(str(socket))
    received = b""
    try:
        writer.write(data)
        while piece := await asyncio.wait_for(reader.read(65536), SILENCE):
            received += piece
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
    return received


async def sent(folder: Path) -> int:
    """Return how many requests HAProxy has sent to the server."""
    answer = b""
    async with asyncio.timeout(PATIENCE):
        while not answer:  # a machine that is busy may leave no time for it
            answer = await exchange(folder / "stats", b"show stat\n")
    lines = answer.decode().splitlines()
    names = lines[0].removeprefix("# ").split(",")
    for line in lines[1:]:
        row = dict(zip(names, line.split(","), strict=False))
        if row["svname"] == "one":
            return int(row["lbtot"])
    raise AssertionError(lines)


async def counted(served: Served) -> int:
    """Return how many requests the server answered, malformed ones included."""
    names = served.instruments.names
    return int(
        sum(
            served.instruments.counter(REQUESTS, method=method, route=route, status=status).value
            for method, route, status in names(REQUESTS).entries()
        )
    )


def test_haproxy_is_there() -> None:
    """CI installs it; elsewhere these tests are left out."""
    version = subprocess.run(["haproxy", "-v"], capture_output=True, text=True, check=True)
    assert "HAProxy" in version.stdout


async def test_every_request_that_the_proxy_sends_is_one_here(tmp_path: Path) -> None:
    """Over shared connections, with a request hidden behind each hostile one."""
    seen = Seen()
    async with served_app(seen.app) as served, proxied(served, tmp_path) as folder:
        for hostile in corpus():
            if len(hostile.data) > 20_000:
                continue
            before, began = await counted(served), await sent(folder)
            await exchange(folder / "front", hostile.data + SECOND)
            answered, asked = await counted(served) - before, await sent(folder) - began
            assert answered <= asked, hostile.name
        assert await counted(served) > 50


async def test_no_field_of_one_request_reaches_the_next(tmp_path: Path) -> None:
    """A trailer is not a header of whoever comes next on the proxy's connection."""
    seen = Seen()
    smuggled = (
        b"POST /first HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"1\r\nx\r\n0\r\nAuthorization: Bearer stolen\r\n\r\n"
    )
    innocent = b"GET /next HTTP/1.1\r\nHost: t\r\n\r\n"
    async with served_app(seen.app) as served, proxied(served, tmp_path) as folder:
        for _ in range(5):
            await exchange(folder / "front", smuggled)
            received = await exchange(folder / "front", innocent)
            assert received.endswith(b"nobody")
        assert seen.requests == {"/first": 5, "/next": 5}
