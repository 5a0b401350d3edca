"""A third service, complete: every line back in capitals, with a metric, probes and a drain."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from bellbuoy import host, metrics, settings

LINES = metrics.counter("third_lines_total", "Lines that were answered.")


@dataclass(frozen=True, kw_only=True)
class Settings(settings.HostSettings):
    """What it reads from the environment, beside what every service on the host does."""

    third_port: settings.Port = 7777
    third_admin_port: settings.Port = 9777


class Line(asyncio.Protocol):
    """One connection."""

    def __init__(self, server: "Shouting") -> None:
        """Belong to ``server``."""
        self.server, self.rest = server, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be counted as open."""
        self.server.open.add(self)
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Answer each line that is complete."""
        *lines, self.rest = (self.rest + data).split(b"\n")
        self.transport.writelines(line.upper() + b"\n" for line in lines)
        self.server.lines.inc(len(lines))

    def connection_lost(self, _: BaseException | None) -> None:
        """Be open no more."""
        self.server.open.discard(self)


class Shouting(host.Server):
    """The service in one worker."""

    def __init__(self, worker: host.Worker) -> None:
        """Count with the worker's instruments."""
        self.lines = worker.instruments.counter(LINES)
        self.open: host.Connections[Line] = host.Connections()

    @property
    def connections(self) -> host.Connections[Line]:
        """Those that are open."""
        return self.open

    def protocol(self) -> Line:
        """Return the protocol of a new connection."""
        return Line(self)

    async def drain(self) -> None:
        """Say that there will be no more answers, and wait until the clients hang up."""
        for line in self.open:
            line.transport.write_eof()
        await self.open.until_empty()

    def abort(self) -> None:
        """Hang up."""
        for line in self.open:
            line.transport.abort()


class Third:
    """The service as the host runs it."""

    name = "third"
    families = (LINES,)

    @asynccontextmanager
    async def open(self, worker: host.Worker) -> AsyncIterator[host.Server]:
        """Need nothing."""
        yield Shouting(worker)


if __name__ == "__main__":
    chosen = settings.load(Settings, os.environ)
    host.run(Third(), chosen, port=chosen.third_port, admin_port=chosen.third_admin_port)
