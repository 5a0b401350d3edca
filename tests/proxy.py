"""A TCP proxy that fails on purpose: it delays, falls silent, cuts, and counts what comes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

Address = tuple[str, int]


class Proxy:
    """Forwards connections to one address until told otherwise.

    Attributes:
        address: Where it listens.
        sent: What clients have sent, one piece for each connection.
        delay: Seconds by which each piece of an answer comes late.
    """

    def __init__(self, target: Address) -> None:
        """Forward to ``target``."""
        self.address: Address = ("", 0)
        self.sent: list[bytearray] = []
        self.delay = 0.0
        self._target = target
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def silence(self) -> None:
        """Forward nothing any more, like a dead link; connections stay open, new ones open."""
        self._flowing.clear()

    def resume(self) -> None:
        """Forward again, what was held back included."""
        self._flowing.set()

    def cut(self) -> None:
        """End every connection that is open; new ones are served."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent = bytearray()
        self.sent.append(sent)
        self._writers.add(writer)
        try:
            # The server is not reached either while the link is dead.
            await self._flowing.wait()
            their_reader, their_writer = await asyncio.open_connection(*self._target)
        except OSError:
            self._writers.discard(writer)
            writer.close()
            return
        self._writers.add(their_writer)
        await asyncio.gather(
            self._pump(reader, their_writer, sent),
            self._pump(their_reader, writer, bytearray(), is_answer=True),
        )

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        record: bytearray,
        *,
        is_answer: bool = False,
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                record += data
                if is_answer and self.delay:
                    await asyncio.sleep(self.delay)
                await self._flowing.wait()
                if writer.is_closing():  # cut meanwhile
                    break
                writer.write(data)
                await writer.drain()
        self._writers.discard(writer)
        writer.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _close(self) -> None:
        self.cut()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.cut()


@contextlib.asynccontextmanager
async def proxy(target: Address) -> AsyncIterator[Proxy]:
    """Run a proxy to ``target`` on a port that the kernel chooses."""
    running = Proxy(target)
    server = await asyncio.start_server(running._accept, "127.0.0.1", 0)
    running.address = server.sockets[0].getsockname()[:2]
    try:
        yield running
    finally:
        server.close()
        await running._close()


def round_trips(sent: bytes | bytearray) -> int:
    """Return how many times a PostgreSQL client waited for an answer after its login.

    Each wait ends a batch of messages with Sync or Query; the start-up message has no type.

    Args:
        sent: All that it sent on one unencrypted connection.
    """
    position = int.from_bytes(sent[:4])
    waits = 0
    while position + 5 <= len(sent):
        waits += sent[position] in b"SQ"
        position += 1 + int.from_bytes(sent[position + 1 : position + 5])
    return waits
