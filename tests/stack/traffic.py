"""Traffic that keeps account, sent from a container: greetings, users or echoed bytes.

Law of this file: a program of the standard library alone, given to Python on its standard input,
because the container that runs it holds no checkout. It ends at SIGTERM and writes its account::

    {"ok": 812, "events": [[1795459129.4, "refused"], …]}

An event is what did not go well, with its time: ``refused``, because nobody listened; ``lost``,
because an answer that was due never came; ``reset``, because an answer may have been destroyed; a
status; ``wrong``, because something else came back.
"""

import asyncio
import itertools
import json
import signal
import sys
import time
from collections.abc import Iterator

CONNECTIONS = 8
PAUSE = 0.02
"""Seconds between two questions on one connection."""

PATIENCE = 8.0
"""Seconds for one answer; the services promise an earlier one, whatever happens."""

LATE = 0.5
"""Seconds for which an echo client goes on sending after the server's FIN, as one does that has not
noticed; the server must take it, because a reset could destroy what the client has not read."""

PATHS = {"greeting": "/Ada", "users": "/users/1"}


class Traffic:
    """One kind of traffic, and what came of it.

    Args:
        kind: greeting, users or echo.
        host: Where to connect.
        port: Where to connect.
        token: For the users.
    """

    def __init__(self, kind: str, host: str, port: int, token: str = "") -> None:
        """Send nothing yet."""
        self.ok = 0
        self.events: list[tuple[float, str]] = []
        self._address = host, port
        self._converse = self._echo if kind == "echo" else self._ask
        head = f"GET {PATHS.get(kind)} HTTP/1.1\r\nHost: {host}\r\n"
        self._request = f"{head}Authorization: Bearer {token}\r\n\r\n".encode()

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(self._reconnect())

    def _note(self, event: str) -> None:
        self.events.append((time.time(), event))

    async def _reconnect(self) -> None:
        """Use one connection after the other, each for as long as the server keeps it."""
        while True:
            try:
                async with asyncio.timeout(PATIENCE):
                    reader, writer = await asyncio.open_connection(*self._address)
            except OSError:  # a timeout is one, too, and so is a name that is gone
                self._note("refused")
                await asyncio.sleep(0.1)
                continue
            try:
                await self._converse(reader, writer)
            except TimeoutError:
                self._note("lost")
            except ConnectionError:
                self._note("reset")
            finally:
                writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Ask until the server says that the connection ends, or ends it between two questions."""
        is_last = False
        while not is_last and not reader.at_eof():
            writer.write(self._request)
            try:
                async with asyncio.timeout(PATIENCE):
                    status, is_last = await _response(reader)
            except asyncio.IncompleteReadError:
                return self._note("lost")
            if status == 200:
                self.ok += 1
            else:
                self._note(str(status))
            await asyncio.sleep(PAUSE)
        return None

    async def _echo(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send lines, and compare what comes back until the server's FIN."""
        sender = asyncio.create_task(_send_lines(writer))
        try:
            for line in _lines():
                async with asyncio.timeout(PATIENCE):
                    echoed = await _read(reader, len(line))
                if not line.startswith(echoed):
                    return self._note("wrong")
                if echoed != line:
                    break
                self.ok += 1
            await asyncio.wait([sender], timeout=LATE)
            if sender.done():
                sender.result()
        finally:
            sender.cancel()
        return None


async def _read(reader: asyncio.StreamReader, count: int) -> bytes:
    """Read ``count`` bytes, or what comes before the FIN."""
    try:
        return await reader.readexactly(count)
    except asyncio.IncompleteReadError as error:
        return error.partial


async def _response(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """Read one response; return its status and whether it is the connection's last."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    first, *rest = head.rstrip().split("\r\n")
    headers = dict(line.split(": ", 1) for line in rest)
    await reader.readexactly(int(headers["content-length"]))
    return int(first.split()[1]), headers.get("connection") == "close"


async def _send_lines(writer: asyncio.StreamWriter) -> None:
    """Send without waiting for the echo."""
    for line in _lines():
        writer.write(line)
        await writer.drain()
        await asyncio.sleep(PAUSE)


def _lines() -> Iterator[bytes]:
    return (b"%0255d\n" % number for number in itertools.count())


async def main(traffic: Traffic) -> None:
    """Send until SIGTERM."""
    running = asyncio.create_task(traffic.run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        json.dump({"ok": traffic.ok, "events": traffic.events}, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main(Traffic(sys.argv[1], sys.argv[2], int(sys.argv[3]), *sys.argv[4:])))
