"""A service that fails where it is told to: while booting, or a moment after it has booted."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal, NoReturn

from bellbuoy import host
from bellbuoy.settings import HostSettings, Port, load


@dataclass(frozen=True, kw_only=True)
class Settings(HostSettings):
    """Its ports, and where it fails."""

    broken_port: Port = 7779
    broken_admin_port: Port = 9779
    broken_place: Literal["open", "ready", "served", "never"] = "open"


class Idle(host.Server):
    """Serves nobody."""

    def __init__(self, place: str) -> None:
        """Fail at ``place``."""
        self.place = place
        self.open: host.Connections[NoReturn] = host.Connections()

    @property
    def connections(self) -> host.Connections[NoReturn]:
        """None."""
        return self.open

    def protocol(self) -> NoReturn:
        """Do what no test asks for."""
        raise NotImplementedError

    async def ready(self) -> None:
        """Fail here, or never become ready."""
        if self.place == "ready":
            raise RuntimeError("no readiness, on purpose")
        if self.place == "never":
            await asyncio.Event().wait()

    async def drain(self) -> None:
        """Have nothing to finish."""

    def abort(self) -> None:
        """Have nothing to cut."""


class Broken:
    """The service."""

    name = "broken"
    families = ()

    def __init__(self, settings: Settings) -> None:
        """Keep the settings."""
        self.settings = settings

    @asynccontextmanager
    async def open(self, _: host.Worker) -> AsyncIterator[host.Server]:
        """Fail here, or end the process a moment later."""
        place = self.settings.broken_place
        if place == "open":
            raise RuntimeError("no service, on purpose")
        if place == "served":
            asyncio.get_running_loop().call_later(0.01, os._exit, 7)
        yield Idle(place)


if __name__ == "__main__":
    chosen = load(Settings, os.environ)
    host.run(Broken(chosen), chosen, port=chosen.broken_port, admin_port=chosen.broken_admin_port)
