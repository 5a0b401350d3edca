"""Proxies: who is trusted, and the header read from a real socket, not a byte too many."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bellbuoy.errors import SettingsError
from bellbuoy.host.proxies import Proxies
from bellbuoy.proxyprotocol import Malformed

V1 = b"PROXY TCP4 192.0.2.7 192.0.2.1 56324 443\r\n"
V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\7\xc0\0\2\1\xdc\4\1\xbb"


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Yield a proxy's end and ours, which does not block."""
    theirs, ours = socket.socketpair()
    with theirs, ours:
        ours.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        yield theirs, ours


@pytest.mark.parametrize(
    "peer, is_trusted",
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("11.1.2.3", False),
        ("2001:db8::7", True),
        ("2001:db9::7", False),
        ("", False),
    ],
)
def test_only_its_networks_are_trusted(peer: str, is_trusted: bool) -> None:  # noqa: FBT001
    """However the listener shows their addresses; a unix socket's peer has none."""
    assert Proxies("10.0.0.0/8, 2001:db8::/32", "BUOY_X").trusts(peer) == is_trusted


@pytest.mark.parametrize("networks", ["10.0.0.1/8", "x", "10.0.0.0/8,", "10.0.0.0/33"])
def test_what_is_no_network_is_named(networks: str) -> None:
    """With its variable."""
    with pytest.raises(SettingsError, match=r"^BUOY_X="):
        Proxies(networks, "BUOY_X")


@pytest.mark.parametrize("header", [V1, V2])
async def test_exactly_the_header_is_read(header: bytes) -> None:
    """However it is split; what follows is left for others."""
    with pair() as (theirs, ours):
        reading = asyncio.ensure_future(Proxies("::/0", "BUOY_X").source(ours))
        for byte in header:
            theirs.send(bytes([byte]))
            await asyncio.sleep(0)
        theirs.send(b"what follows")
        assert await asyncio.wait_for(reading, 10) == "192.0.2.7"
        assert ours.recv(100) == b"what follows"


async def test_a_header_and_what_follows_may_come_at_once() -> None:
    """In one packet."""
    with pair() as (theirs, ours):
        theirs.send(V1 + V2)
        assert await Proxies("::/0", "BUOY_X").source(ours) == "192.0.2.7"
        assert ours.recv(100) == V2


async def test_a_proxy_may_speak_for_itself() -> None:
    """A health check has no client behind it."""
    with pair() as (theirs, ours):
        theirs.send(b"PROXY UNKNOWN\r\n")
        assert await Proxies("::/0", "BUOY_X").source(ours) == ""


async def test_an_end_within_the_header_is_malformed() -> None:
    """Nobody waits for the rest."""
    with pair() as (theirs, ours):
        theirs.send(V1[:20])
        theirs.close()
        with pytest.raises(Malformed):
            await Proxies("::/0", "BUOY_X").source(ours)


async def test_a_header_has_its_time() -> None:
    """Drip by drip does not prolong it."""
    with pair() as (theirs, ours):

        async def drip() -> None:
            for byte in V1[:-1]:
                theirs.send(bytes([byte]))
                await asyncio.sleep(0.04)  # sooner than the deadline, each time

        dripping = asyncio.create_task(drip())
        with pytest.raises(TimeoutError):
            await Proxies("::/0", "BUOY_X", deadline=0.2).source(ours)
        assert not dripping.done()
        dripping.cancel()
