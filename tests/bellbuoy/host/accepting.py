"""An acceptor on a real listener, with everything around it, and faults of accept(2)."""

import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager

from bellbuoy.host.acceptor import Acceptor, Caps
from bellbuoy.host.families import ACCEPT_PAUSES, ACCEPTED, FAMILIES, REJECTED
from bellbuoy.host.listeners import listen
from bellbuoy.instruments import Instruments
from bellbuoy.metrics import Layout
from bellbuoy.scoreboard import Scoreboard
from tests.bellbuoy.host.services import Recorder
from tests.waiting import soon


class Listener(socket.socket):
    """A listener whose accept(2) fails as often as it is told to."""

    faults: list[OSError]

    def accept(self) -> tuple[socket.socket, object]:
        """Fail, or accept."""
        if self.faults:
            raise self.faults.pop(0)
        return super().accept()


class Bench:
    """An acceptor on a real listener, with everything around it."""

    def __init__(self, listener: Listener, caps: Caps) -> None:
        """Accept nothing yet."""
        self.board = Scoreboard(FAMILIES, 3)
        self.own, self.other = self.board.workers
        for slot in self.board.workers:
            slot.take(admin=False)
        self.server = Recorder()
        self.instruments = Instruments(Layout(FAMILIES))
        self.listener = listener
        self.acceptor = Acceptor(
            listener, self.server, self.own, self.board.workers, self.instruments, caps
        )

    @contextmanager
    def clients(self, count: int) -> Iterator[list[socket.socket]]:
        """Connect so many; the kernel does not ask anybody for that."""
        clients = [socket.create_connection(self.listener.getsockname()) for _ in range(count)]
        try:
            yield clients
        finally:
            for client in clients:
                client.close()

    async def until_made(self, count: int) -> None:
        """Wait until so many protocols were made."""
        await soon(lambda: len(self.server.protocols) >= count)

    @property
    def pauses(self) -> float:
        """How often accepting was paused."""
        return self.instruments.counter(ACCEPT_PAUSES).value

    @property
    def accepted(self) -> float:
        """Connections handed over."""
        return self.instruments.counter(ACCEPTED).value

    def rejected(self, reason: str = "limit") -> float:
        """Return how many connections were refused."""
        return self.instruments.counter(REJECTED, reason=reason).value


@asynccontextmanager
async def bench(cap: int = 1000, *faults: int, per_peer: int = 0) -> AsyncIterator[Bench]:
    """Give an acceptor whose first calls of accept(2) fail with these errnos."""
    with closing(listen("127.0.0.1", 0, 4096, "BUOY_X_PORT")) as plain:
        listener = Listener(fileno=os.dup(plain.fileno()))
        listener.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        listener.faults = [OSError(number, os.strerror(number)) for number in faults]
        made = Bench(listener, Caps(cap, per_peer))
        yield made
        await made.acceptor.close()
