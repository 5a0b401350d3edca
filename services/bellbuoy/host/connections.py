"""The connections of one server: who is open, who is coming, and how many from where.

Law of this file: no cost per message. A connection is noted when it comes and when it goes.
"""

import asyncio
from collections.abc import Iterator
from typing import Generic, TypeVar

C = TypeVar("C")


class Connections(Generic[C]):
    """The registry that a server fills and the acceptor reads.

    The acceptor says that a connection is coming; its protocol adds itself once it is made, and
    leaves when it is lost. Both kinds count, iterating yields only those that are open.
    """

    def __init__(self) -> None:
        """Hold nothing."""
        self._open: set[C] = set()
        self._coming: set[object] = set()
        # Only of those whose peer is given: a limit that is off costs nothing.
        self._peers: dict[object, str] = {}
        self._counts: dict[str, int] = {}
        self._left = asyncio.Event()

    def __len__(self) -> int:
        return len(self._open) + len(self._coming)

    def __iter__(self) -> Iterator[C]:
        """Yield the open ones; they may leave meanwhile."""
        return iter(tuple(self._open))

    def __contains__(self, connection: object) -> bool:
        return connection in self._open

    def expect(self, coming: object, peer: str = "") -> None:
        """Count what is not open yet: a protocol, or a socket that has no protocol so far.

        Args:
            coming: What :meth:`add` or :meth:`discard` will be called with.
            peer: The address to count it for; empty for none.
        """
        self._coming.add(coming)
        if peer:
            self._peers[coming] = peer
            self._counts[peer] = self.of_peer(peer) + 1

    def add(self, connection: C) -> None:
        """Be open from now on."""
        self._coming.discard(connection)
        self._open.add(connection)

    def discard(self, connection: object) -> None:
        """Be gone, or never have come; idempotent."""
        self._open.discard(connection)
        self._coming.discard(connection)
        if self._peers and (peer := self._peers.pop(connection, "")):
            self._counts[peer] -= 1
            if not self._counts[peer]:
                del self._counts[peer]
        self._left.set()

    def forsake(self, coming: object) -> bool:
        """Discard what never was added; return whether that was so."""
        if coming not in self._coming:
            return False
        self.discard(coming)
        return True

    def of_peer(self, peer: str) -> int:
        """Return how many are counted for an address."""
        return self._counts.get(peer, 0)

    async def until_empty(self) -> None:
        """Return when there are none."""
        while len(self):
            self._left.clear()
            await self._left.wait()
