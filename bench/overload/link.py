"""A slow link to PostgreSQL: it gives a route a capacity that a client on one core can exceed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

DELAY = 0.015
"""Seconds by which each piece of an answer comes late. It costs nobody any CPU time."""


@asynccontextmanager
async def slow_link(target: Path) -> AsyncIterator[int]:
    """Forward a port to PostgreSQL's socket."""
    tasks: set[asyncio.Task[None]] = set()

    async def forward(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 20):
                if delay:
                    await asyncio.sleep(delay)
                writer.write(data)
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs = await asyncio.open_unix_connection(str(target))
        for pair, delay in (((reader, theirs[1]), 0.0), ((theirs[0], writer), DELAY)):
            task = asyncio.ensure_future(forward(*pair, delay))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
