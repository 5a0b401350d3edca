"""The PROXY protocol with the echo service: introduced clients are served, all others are not."""

import socket
import struct
import time

import pytest

from tests.certificates import NAME, Authority, authority
from tests.clients import Address, connect, is_echoed, is_served, read_exactly
from tests.program import loop, running
from tests.waiting import eventually

__all__ = ["authority", "loop"]

pytestmark = pytest.mark.slow

REJECTED = "bellbuoy_connections_rejected_total"
PROXIED = {"BUOY_ECHO_PROXY_NETWORKS": "127.0.0.1/32"}

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V1 = b"PROXY TCP4 192.0.2.7 192.0.2.1 56324 443\r\n"
V2 = SIGNATURE + struct.pack("!BBH8BHH", 0x21, 0x11, 12, 192, 0, 2, 8, 192, 0, 2, 1, 1, 2)

TAKEN = [
    V1,
    V2,
    b"PROXY UNKNOWN\r\n",
    SIGNATURE + b"\x20\0\0\0",
    SIGNATURE + b"\x21\x11\0\x10" + bytes(12) + b"\x04\0\1x",
]
DROPPED = [
    b"ping",
    b"GET / HTTP/1.1\r\n\r\n",
    b"PROXY TCP4 192.0.2.7 192.0.2.1 56324\r\n",
    b"PROXY UNKNOWN".ljust(200),
    SIGNATURE + b"\x21\x11\0\x04" + bytes(4),
    SIGNATURE + b"\x11\x11\0\x0c" + bytes(12),
    SIGNATURE + b"\x21\x11\xff\xff",
]


def introduced(address: Address, header: bytes, *, by: str = "127.0.0.1") -> socket.socket:
    """Return a connection that has begun with ``header``."""
    client = socket.socket()
    client.settimeout(20)
    client.bind((by, 0))
    client.connect(address)
    client.sendall(header)
    return client


def ends(client: socket.socket) -> bool:
    """Return whether the server closes it and says nothing."""
    with client:
        try:
            return not read_exactly(client, 1)
        except ConnectionError:
            return True


def test_only_introduced_clients_of_trusted_proxies_are_served(loop: str) -> None:
    """Whole or in pieces; nothing is guessed."""
    with running("echo", {"BUOY_LOOP": loop, **PROXIED}) as program:
        program.await_workers(1)
        address = program.address
        for header in TAKEN:
            with introduced(address, header + b"at once") as client:
                assert read_exactly(client, 7) == b"at once"
                assert is_echoed(client)
            with introduced(address, b"") as client:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for byte in header:
                    client.send(bytes([byte]))
                assert is_echoed(client)
        for data in DROPPED:
            assert ends(introduced(address, data)), data
        assert ends(introduced(address, V1, by="127.0.0.2"))
        refused = len(DROPPED) + 1
        eventually(lambda: program.metrics().value(REJECTED, reason="proxy") == refused)
        accepted = program.metrics().value("bellbuoy_connections_accepted_total")
        assert accepted == 2 * len(TAKEN)
        assert program.stop() == 0


def test_who_does_not_finish_its_header_has_five_seconds(loop: str) -> None:
    """At least three, which the specification asks for; and it counts towards the cap meanwhile."""
    with running("echo", {"BUOY_LOOP": loop, **PROXIED}) as program:
        program.await_workers(1)
        began = time.monotonic()
        silent = [introduced(program.address, header) for header in (b"", V1[:-1], V2[:-1])]
        eventually(lambda: program.metrics().value("bellbuoy_connections_active") == len(silent))
        for client in silent:
            assert ends(client)
            assert 3 <= time.monotonic() - began < 10
        eventually(lambda: program.metrics().value(REJECTED, reason="proxy") == len(silent))
        assert program.metrics().value("bellbuoy_connections_accepted_total") == 0
        assert program.stop() == 0


def test_the_client_behind_the_proxy_is_the_peer(loop: str) -> None:
    """Its share is what is limited, not the proxy's."""
    environ = {"BUOY_LOOP": loop, "BUOY_MAX_CONNECTIONS_PER_PEER": "1", **PROXIED}
    with running("echo", environ) as program:
        program.await_workers(1)
        with introduced(program.address, V1) as one, introduced(program.address, V2) as two:
            assert is_echoed(one)
            assert is_echoed(two)
            assert ends(introduced(program.address, V1))
        eventually(lambda: program.metrics().value(REJECTED, reason="peer_limit") == 1)
        assert program.stop() == 0


def test_tls_begins_behind_the_header(loop: str, authority: Authority) -> None:
    """Exactly there, even when both come at once; TLS alone is no header."""
    environ = {"BUOY_LOOP": loop, **PROXIED, **authority.environ()}
    with running("echo", environ) as program:
        program.await_workers(1)
        context = authority.anonymous()
        with context.wrap_socket(introduced(program.address, V2), server_hostname=NAME) as client:
            assert is_echoed(client)
        with pytest.raises(OSError, match=r"."):
            context.wrap_socket(connect(program.address), server_hostname=NAME)
        eventually(lambda: program.metrics().value(REJECTED, reason="proxy") == 1)
        assert program.stop() == 0


def test_a_header_is_data_where_no_proxy_is_expected(loop: str) -> None:
    """Off is off: it is echoed like anything else."""
    with running("echo", {"BUOY_LOOP": loop}) as program:
        with connect(program.address) as client:
            assert is_echoed(client, V1 + V2)
            assert is_served(client)
        assert program.stop() == 0
