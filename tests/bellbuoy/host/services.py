"""Services and servers for tests of the host: they do nothing, or note what is asked of them."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from bellbuoy import host
from bellbuoy.host.proxies import Proxies
from bellbuoy.metrics import Family


class Counted(asyncio.Protocol):
    """A protocol that does nothing but be counted."""

    def __init__(self, connections: "host.Connections[Counted]") -> None:
        """Belong to these once connected."""
        self.connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be open."""
        self.transport = transport
        self.connections.add(self)

    def connection_lost(self, _: BaseException | None) -> None:
        """Be gone."""
        self.connections.discard(self)


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
        self.open: host.Connections[Counted] = host.Connections()
        self.context: ssl.SSLContext | None = None
        self.trusted: Proxies | None = None

    @property
    def connections(self) -> host.Connections[Counted]:
        """Those that are open; a test may expect more."""
        return self.open

    @property
    def tls(self) -> ssl.SSLContext | None:
        """What the test says."""
        return self.context

    @property
    def proxies(self) -> Proxies | None:
        """What the test says."""
        return self.trusted

    def protocol(self) -> Counted:
        """Make one that does nothing."""
        self.protocols.append(protocol := Counted(self.open))
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
