"""The api in the test's own process, and an HTTP client that shows what came over the wire."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec
from aiohttp import web

from api.service import ApiService
from api.settings import ApiSettings
from bellbuoy import tokens
from bellbuoy.host import Worker
from bellbuoy.host.listeners import listen
from bellbuoy.host.web import HttpServer, Traffic, serve, telemetry
from bellbuoy.instruments import Instruments
from bellbuoy.metrics import Layout
from bellbuoy.monitor import AsyncMonitor
from bellbuoy.settings import load
from bellbuoy.tokens import Tokens

TOKEN = "a token for tests"  # noqa: S105
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
READER = "a token that reads"

Address = tuple[str, int]


@dataclass(frozen=True)
class Reply:
    """One response.

    Args:
        status: The status code.
        headers: By lower-case name.
        body: As it came.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        """The body, decoded from JSON."""
        return msgspec.json.decode(self.body)


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak over these streams."""
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, address: Address) -> Self:
        """Open a connection."""
        return cls(*await asyncio.open_connection(*address))

    def send(
        self,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str] = {},
        body: bytes | None = None,
    ) -> None:
        """Send a request."""
        lines = [f"{method} {path} HTTP/1.1", "Host: test", *map(": ".join, headers.items())]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + (body or b""))

    async def receive(self, *, head_only: bool = False) -> Reply:
        """Return the next response.

        Raises:
            asyncio.IncompleteReadError: The connection ended before.
        """
        async with asyncio.timeout(20):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.rstrip().split("\r\n")
            pairs = (line.partition(": ") for line in lines)
            headers = {name.lower(): value for name, _, value in pairs}
            length = 0 if head_only else int(headers.get("content-length", "0"))
            body = await self.reader.readexactly(length)
        return Reply(int(first.split()[1]), headers, body)

    async def ask(
        self,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str] = {},
        body: bytes | None = None,
    ) -> Reply:
        """Send a request and return its response."""
        self.send(path, method, headers, body)
        return await self.receive(head_only=method == "HEAD")

    async def is_closed(self) -> bool:
        """Return whether the server has closed the connection after all that was received."""
        try:
            async with asyncio.timeout(20):
                return await self.reader.read(1) == b""
        except ConnectionError:
            return True

    async def close(self) -> None:
        """Close the connection."""
        self.writer.close()
        await asyncio.gather(self.writer.wait_closed(), return_exceptions=True)


@dataclass(frozen=True)
class Served:
    """A server that listens, and what belongs to it."""

    server: HttpServer
    address: Address
    instruments: Instruments
    monitor: AsyncMonitor

    @property
    def metrics(self) -> telemetry.HttpMetrics:
        """What was counted so far."""
        return telemetry.HttpMetrics(self.instruments)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """Open a connection until the block ends."""
        client = await Client.connect(self.address)
        try:
            yield client
        finally:
            await client.close()

    async def ask(
        self,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str] = {},
        body: bytes | None = None,
    ) -> Reply:
        """Ask on a connection of its own."""
        async with self.client() as client:
            return await client.ask(path, method, headers, body)

    async def tell(self, data: bytes) -> Reply:
        """Send bytes on a connection of their own and return the response, and its end."""
        async with self.client() as client:
            client.writer.write(data)
            return await client.receive()

    def bugs(self) -> float:
        """Return how many requests failed for a bug."""
        cells = self.instruments.layout.cells(telemetry.EXCEPTIONS)
        return sum(self.instruments.cells[cells.start : cells.stop])

    def rejected(self, reason: str) -> float:
        """Return how many requests were refused for a reason."""
        return self.instruments.counter(telemetry.REJECTED, reason=reason).value

    def answered(self, method: str, route: str, status: int) -> float:
        """Return how many requests were counted under these labels."""
        labels = {"method": method, "route": route, "status": str(status)}
        return self.instruments.counter(telemetry.REQUESTS, **labels).value


@asynccontextmanager
async def served_app(
    app: web.Application,
    traffic: Traffic | None = None,
    *,
    access_log_sample: float = 0.0,
) -> AsyncIterator[Served]:
    """Serve an application within the middleware."""
    instruments = Instruments(Layout(telemetry.FAMILIES))
    async with (
        serve(
            app,
            instruments,
            traffic,
            access_log_sample=access_log_sample,
        ) as server,
        _listening(server) as address,
    ):
        yield Served(server, address, instruments, AsyncMonitor())


@asynccontextmanager
async def served_api(settings: ApiSettings) -> AsyncIterator[Served]:
    """Serve the api."""
    service = ApiService(settings)
    instruments = Instruments(Layout(service.families))
    worker = Worker(instruments, AsyncMonitor())
    async with service.open(worker) as server, _listening(server) as address:
        yield Served(server, address, instruments, worker.monitor)


def known_tokens(folder: Path) -> dict[str, str]:
    """Write a token file that knows the tokens of the tests; return the variable that names it."""
    path = folder / "api.tokens"
    issued = (("test", TOKEN, ("users:read", "users:write")), ("reader", READER, ("users:read",)))
    tokens.write(path, Tokens(tuple(tokens.issue(*each) for each in issued)))
    return {"BUOY_API_TOKENS_FILE": str(path)}


def api_settings(folder: Path, database: Mapping[str, str] | None = None) -> ApiSettings:
    """Return settings with the tokens, and a database that is not there unless one is given."""
    password = folder / "password"
    password.write_text("secret\n")
    nowhere = {"BUOY_DB_PORT": "1", "BUOY_DB_PASSWORD_FILE": str(password)}
    return load(ApiSettings, {**known_tokens(folder), **(database or nowhere)})


@asynccontextmanager
async def _listening(server: HttpServer) -> AsyncIterator[Address]:
    loop = asyncio.get_running_loop()
    # With the options of a real one.
    taken = listen("127.0.0.1", 0, 100, "BUOY_API_PORT")
    listener = await loop.create_server(server.protocol, sock=taken)
    try:
        yield listener.sockets[0].getsockname()[:2]
    finally:
        listener.close()
        server.abort()
        async with asyncio.timeout(5):
            while server.connections:  # noqa: ASYNC110 - the interface has no event for it
                await asyncio.sleep(0.001)
