"""One echo connection on a transport that keeps account, with somebody to tell."""

import pytest

from echo.connection import EchoConnection
from tests.echo.transports import Transport


class Registry:
    """Notes what a connection tells."""

    def __init__(self) -> None:
        """Have heard nothing."""
        self.heard: list[str] = []
        self.has_room = True
        self.ends: list[tuple[str, BaseException | None, int]] = []

    def made(self, _: EchoConnection, /) -> None:
        """It is there."""
        self.heard.append("made")

    def half_closed(self, _: EchoConnection, /) -> None:
        """It says no more."""
        self.heard.append("half_closed")

    def touched(self, _: EchoConnection, /) -> None:
        """Something moved."""
        self.heard.append("touched")

    def may_wait(self, _: EchoConnection, __: int, /) -> bool:
        """The kernel is full."""
        return self.has_room

    def paused(self) -> None:
        """A client is slow."""
        self.heard.append("paused")

    def lost(self, connection: EchoConnection, error: BaseException | None, unsent: int, /) -> None:
        """It ended."""
        self.ends.append((connection.reason, error, unsent))


class Bench:
    """A connection and what is around it."""

    def __init__(self) -> None:
        """Be connected."""
        self.registry = Registry()
        self.transport = Transport()
        self.connection = EchoConnection(self.registry, 4000)
        self.connection.connection_made(self.transport)
        assert self.registry.heard.pop() == "made"


@pytest.fixture
def bench() -> Bench:
    """A connection that was just made."""
    return Bench()
