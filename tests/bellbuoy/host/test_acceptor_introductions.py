"""The acceptor before a connection is the server's: who is believed, and how long that may take."""

import asyncio
import socket

import pytest

from bellbuoy import timeouts
from bellbuoy.host import acceptor as module
from bellbuoy.host.proxies import Proxies
from bellbuoy.host.tls import TlsFiles
from tests.bellbuoy.host.accepting import bench
from tests.certificates import Authority, authority
from tests.waiting import soon

__all__ = ["authority"]


async def test_one_address_gets_no_more_than_its_share() -> None:
    """What is too much is closed and counted; a place that gets free is given away again."""
    async with bench(per_peer=2) as given:
        given.acceptor.start()
        with given.clients(3) as clients:
            await soon(lambda: given.rejected("peer_limit") == 1 and given.accepted == 2)
            assert await asyncio.to_thread(clients[2].recv, 1) == b""
            with socket.socket() as other:
                other.bind(("127.0.0.2", 0))
                other.connect(given.listener.getsockname())
                await given.until_made(3)
            clients[0].close()
            await soon(lambda: given.server.open.of_peer("127.0.0.1") == 1)
            with given.clients(1):
                await given.until_made(4)
        assert given.rejected("peer_limit") == 1


async def test_a_proxy_is_believed_and_the_others_are_refused() -> None:
    """The client's address is what the limit for one address counts."""
    async with bench(per_peer=1) as given:
        given.server.trusted = Proxies("127.0.0.1", "BUOY_X")
        given.acceptor.start()
        with given.clients(3) as clients, socket.socket() as stranger:
            for client, source in zip(clients, "778", strict=True):
                client.sendall(f"PROXY TCP4 192.0.2.{source} 192.0.2.1 1 2\r\n".encode())
            await soon(lambda: given.rejected("peer_limit") == 1 and given.accepted == 2)
            stranger.bind(("127.0.0.2", 0))
            stranger.connect(given.listener.getsockname())
            stranger.sendall(b"PROXY UNKNOWN\r\n")
            await soon(lambda: given.rejected("proxy") == 1)
            assert len(given.server.protocols) == 2
            assert given.server.open.of_peer("192.0.2.7") == 1
            assert given.server.open.of_peer("127.0.0.1") == 0


async def test_who_is_still_being_introduced_counts() -> None:
    """Otherwise silence would be a way around the cap."""
    async with bench(cap=2) as given:
        given.server.trusted = Proxies("127.0.0.1", "BUOY_X")
        given.acceptor.start()
        with given.clients(3):
            await soon(lambda: given.rejected() == 1)
            assert (len(given.server.open), given.server.protocols) == (2, [])


async def test_who_does_not_introduce_himself_does_not_stop_the_close(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """He is refused; who has done so within the time is served."""
    monkeypatch.setattr(timeouts, "SETTLE", 0.2)
    async with bench() as given:
        given.server.trusted = Proxies("127.0.0.1", "BUOY_X")
        with given.clients(2) as clients:
            clients[0].sendall(b"PROXY UNKNOWN\r\n")
            async with asyncio.timeout(4):  # less than the header may take
                await given.acceptor.close()
            assert (given.accepted, given.rejected("proxy")) == (1, 1)
        await soon(lambda: not len(given.server.open))


async def test_a_handshake_has_its_time(
    monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    """Silence is counted and forgotten; while it lasts, it counts towards the cap."""
    monkeypatch.setattr(module, "HANDSHAKE", 0.05)
    async with bench(cap=1) as given:
        given.server.context = TlsFiles(authority.certificate, authority.key).load()
        given.acceptor.start()
        with given.clients(1) as clients:
            await given.until_made(1)
            assert len(given.server.open) == 1
            await soon(lambda: given.rejected("tls") == 1)
            assert await asyncio.to_thread(clients[0].recv, 1) == b""
        assert (given.accepted, len(given.server.open)) == (0, 0)


async def test_a_handshake_does_not_stop_the_close(
    monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    """Whoever has not finished it by then is refused."""
    monkeypatch.setattr(timeouts, "SETTLE", 0.05)
    async with bench() as given:
        given.server.context = TlsFiles(authority.certificate, authority.key).load()
        with given.clients(1) as clients:
            async with asyncio.timeout(4):  # less than the handshake may take
                await given.acceptor.close()
            assert (given.rejected("tls"), len(given.server.open)) == (1, 0)
            assert await asyncio.to_thread(clients[0].recv, 1) == b""
