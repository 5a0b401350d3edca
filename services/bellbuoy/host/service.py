"""What a service is to the host: a name, its metric families, and a server in each worker."""

import asyncio
import ssl
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from bellbuoy.host.connections import Connections
from bellbuoy.host.proxies import Proxies
from bellbuoy.instruments import Instruments
from bellbuoy.metrics import Family
from bellbuoy.monitor import AsyncMonitor


@dataclass(frozen=True)
class Worker:
    """What the host gives to a service in each worker process.

    Args:
        instruments: Where the service counts; its families are those it declared.
        monitor: Where it tracks its tasks; exported by the host.
    """

    instruments: Instruments
    monitor: AsyncMonitor


class Server(ABC):
    """A service within one worker; the host feeds it connections and ends it.

    The host calls, in this order: :meth:`protocol` for each connection, :meth:`announce_drain`
    once, :meth:`drain` once when no connection will come any more, and :meth:`abort` when that
    takes too long.
    """

    @property
    @abstractmethod
    def connections(self) -> Connections[Any]:
        """Where each protocol adds itself once its connection is made, until that is lost."""

    @property
    def tls(self) -> ssl.SSLContext | None:
        """What the next connection's handshake uses, or ``None`` for plain text."""
        return None

    @property
    def proxies(self) -> Proxies | None:
        """Who connects for others and says so in a PROXY header, or ``None`` when nobody does."""
        return None

    @abstractmethod
    def protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol of one new connection; it may yet come to nothing."""

    async def ready(self) -> None:  # noqa: B027 - most services are ready once they are open
        """Return once traffic may be sent here; asked until any worker was ready once."""

    def announce_drain(self) -> None:  # noqa: B027 - not every protocol can say so
        """Tell clients to go elsewhere, and go on serving them."""

    @abstractmethod
    async def drain(self) -> None:
        """Finish what is in flight, close every connection, and return when none is left."""

    @abstractmethod
    def abort(self) -> None:
        """Cut every connection that is left."""


class Service(Protocol):
    """A program the host runs.

    Attributes:
        name: The service's name, in logs and metrics.
        families: Its metric families.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def families(self) -> Sequence[Family]: ...  # noqa: D102

    def open(self, worker: Worker) -> AbstractAsyncContextManager[Server]:
        """Open the service's resources in a worker, never waiting for a dependency."""
        ...
