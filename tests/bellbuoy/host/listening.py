"""A server of the host without a host: on a plain listener, in the loop of the test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bellbuoy.host import Server
from bellbuoy.host.listeners import listen


@asynccontextmanager
async def listening(server: Server) -> AsyncIterator[tuple[str, int]]:
    """Give connections to ``server``'s protocols; yield the address."""
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(
        server.protocol, sock=listen("127.0.0.1", 0, 100, "BUOY_X_PORT")
    )
    try:
        yield listener.sockets[0].getsockname()[:2]
    finally:
        listener.close()
        # Python 3.12 waits for the connections, too; the test has ended them.
        await listener.wait_closed()


class Client:
    """An HTTP client that shows bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk on this connection."""
        self.reader = reader
        self.writer = writer

    def ask(self, path: str, headers: str = "") -> None:
        """Send a GET request."""
        self.writer.write(f"GET {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n".encode())

    async def head(self) -> str:
        """Return the next response's head."""
        return (await self.reader.readuntil(b"\r\n\r\n")).decode()

    async def answer(self) -> tuple[str, bytes]:
        """Return the next response: head and body."""
        head = await self.head()
        length = head.lower().partition("content-length: ")[2].partition("\r\n")[0]
        return head, await self.reader.readexactly(int(length))


@asynccontextmanager
async def client(address: tuple[str, int]) -> AsyncIterator[Client]:
    """Connect."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
