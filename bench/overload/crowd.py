"""The crowd: clients that ask when it is time to, whatever became of what was asked before.

Law of this file: an open loop. A request has a time at which it is due and is counted from then
on; when no connection is free it is not sent, and that is counted, too.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

TICK = 0.001
"""Seconds between two looks at what is due; uvloop's timers are no finer."""

PATIENCE = 20.0
"""Seconds after the last request in which every answer must have come."""

_END, _LENGTH = b"\r\n\r\n", b"Content-Length: "


@dataclass
class Tally:
    """What became of some requests.

    Args:
        seconds: From when each was due to its answer, by status; 0 for none.
        in_time: Successes that came before the last request was due.
        sent: Those that were sent.
        unsent: Those for which no connection was free.
        lasted: Seconds until the last was sent, or was not.
        ended: The loop's time at that moment; answers may still come.
    """

    seconds: dict[int, list[float]] = field(default_factory=dict)
    in_time: int = 0
    sent: int = 0
    unsent: int = 0
    lasted: float = 0.0
    ended: float = 0.0

    def count(self, status: int) -> int:
        """Return how many had this status."""
        return len(self.seconds.get(status, ()))

    def others(self) -> int:
        """Return how many were neither answered well nor refused."""
        return sum(len(each) for status, each in self.seconds.items() if status not in (200, 503))

    def is_well(self) -> bool:
        """Return whether all were sent, and answered well."""
        return not self.unsent and set(self.seconds) == {200}

    def milliseconds(self, status: int, share: float) -> float | None:
        """Return the latency that ``share`` of those with a status stayed below."""
        ordered = sorted(self.seconds.get(status, ()))
        return round(ordered[int(len(ordered) * share)] * 1000, 1) if ordered else None


class Connection(asyncio.Protocol):
    """One connection, and when each request was due whose answer is still to come."""

    def __init__(self, crowd: "Crowd") -> None:
        """Belong to a crowd."""
        self.due: deque[float] = deque()
        self.transport: asyncio.Transport
        self._crowd = crowd
        self._held = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready to ask."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take answers."""
        held = self._held
        held += data
        while (end := held.find(_END)) >= 0:
            at = held.index(_LENGTH, 0, end) + len(_LENGTH)
            whole = end + len(_END) + int(held[at : held.index(b"\r\n", at)])
            if len(held) < whole:
                return
            status = int(held[9:12])
            del held[:whole]
            self._crowd.answered(self, status, self.due.popleft())

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Count what will not be answered any more."""
        for due in self.due:
            self._crowd.answered(None, 0, due)


class Crowd:
    """Connections that are taken in turn by requests that are due; made by :func:`gathered`.

    Args:
        request: What is asked.
    """

    def __init__(self, request: bytes) -> None:
        """Have no connection yet."""
        self._request = request
        self._loop = asyncio.get_running_loop()
        self._free: deque[Connection] = deque()
        self._tally = Tally()
        self._end = 0.0
        self._outstanding = 0

    def join(self, connection: Connection, pipelined: int) -> None:
        """Use a connection for so many requests at once."""
        self._free.extend([connection] * pipelined)

    async def drive(self, rate: float, seconds: float) -> Tally:
        """Ask ``rate`` times a second; return when all that was sent is answered."""
        tally = self._tally = Tally()
        total, asked, start = int(rate * seconds), 0, self._loop.time()
        self._end = start + seconds
        while asked < total:
            due = min(total, int((self._loop.time() - start) * rate) + 1)
            for number in range(asked, due):
                self._send(start + number / rate)
            asked = due
            await asyncio.sleep(TICK)
        tally.ended = self._loop.time()
        tally.lasted = tally.ended - start
        async with asyncio.timeout(PATIENCE):
            while self._outstanding:  # noqa: ASYNC110 - once a run
                await asyncio.sleep(TICK)
        return tally

    def answered(self, connection: Connection | None, status: int, due: float) -> None:
        """Count an answer; ``connection`` is free again."""
        now = self._loop.time()
        self._tally.seconds.setdefault(status, []).append(now - due)
        self._tally.in_time += status == 200 and now <= self._end  # noqa: PLR2004
        self._outstanding -= 1
        if connection is not None:
            self._free.append(connection)

    def _send(self, due: float) -> None:
        while self._free and self._free[0].transport.is_closing():
            self._free.popleft()
        if not self._free:
            self._tally.unsent += 1
            return
        connection = self._free.popleft()
        connection.due.append(due)
        connection.transport.write(self._request)
        self._outstanding += 1
        self._tally.sent += 1


@asynccontextmanager
async def gathered(
    port: int, request: bytes, connections: int, pipelined: int = 1
) -> AsyncIterator[Crowd]:
    """Open connections until the block ends; connecting is no part of what is measured."""
    crowd = Crowd(request)
    loop = asyncio.get_running_loop()
    opened: list[Connection] = []
    try:
        for _ in range(connections):
            _, one = await loop.create_connection(lambda: Connection(crowd), "127.0.0.1", port)
            opened.append(one)
        for one in opened:
            crowd.join(one, pipelined)
        yield crowd
    finally:
        for one in opened:
            one.transport.abort()
