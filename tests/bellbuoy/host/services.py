"""Services and servers for tests of the host: they do nothing, or note what is asked of them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from bellbuoy import host
from bellbuoy.metrics import Family


class Recorder(host.Server):
    """Notes what the host asks of it, and drains when told to.

    Attributes:
        asked: The names of the methods, in order.
        drained: Set it, and :meth:`drain` returns.
        protocols: What it made.
    """

    def __init__(self) -> None:
        """Hold no connection yet."""
        self.asked: list[str] = []
        self.drained = asyncio.Event()
        self.protocols: list[asyncio.Protocol] = []
        self.held = 0

    @property
    def connections(self) -> int:
        """As many as the test says, or as were made."""
        return self.held or len(self.protocols)

    def protocol(self) -> asyncio.Protocol:
        """Make one that does nothing."""
        self.protocols.append(protocol := asyncio.Protocol())
        return protocol

    def announce_drain(self) -> None:
        """Be told."""
        self.asked.append("announce_drain")

    async def drain(self) -> None:
        """Wait for the test."""
        self.asked.append("drain")
        await self.drained.wait()

    def abort(self) -> None:
        """Be cut."""
        self.asked.append("abort")


class Silence:
    """A service whose server is a :class:`Recorder`."""

    name = "silence"
    families: Sequence[Family] = ()

    @asynccontextmanager
    async def open(self, _: host.Worker) -> AsyncIterator[host.Server]:
        """Need nothing."""
        yield Recorder()
