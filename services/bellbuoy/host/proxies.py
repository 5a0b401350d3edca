"""Proxies in front of a service: who is believed, and who the client is behind them.

Law of this file: nothing is guessed. Where proxies are configured, every connection must come
from one and begin with its header; the header is read byte for byte and not one too many, so that
TLS or the service itself finds what follows.
"""

import asyncio
import ipaddress
import socket
from functools import lru_cache

from bellbuoy.errors import SettingsError
from bellbuoy.proxyprotocol import Malformed, parse, wanted

DEADLINE = 5.0
"""Seconds for a complete header; the specification asks for three at least (section 2), which one
retransmission of the first packet takes."""


class Proxies:
    """The networks whose PROXY header is believed.

    Args:
        networks: CIDR notation, separated by commas.
        variable: The setting they stand in, for the message.
        deadline: Seconds for a complete header.

    Raises:
        SettingsError: One of them is no network.
    """

    def __init__(self, networks: str, variable: str, deadline: float = DEADLINE) -> None:
        try:
            parsed = [ipaddress.ip_network(each.strip()) for each in networks.split(",")]
        except ValueError as error:
            raise SettingsError([f"{variable}={networks!r}: {error}"]) from error
        self._networks = tuple(parsed)
        self._deadline = deadline
        # Proxies are few and connect often.
        self.trusts = lru_cache(maxsize=1024)(self._trusts)

    async def source(self, connection: socket.socket) -> str:
        """Read the header; return the client's address, or empty when the proxy speaks for itself.

        Args:
            connection: Non-blocking; exactly the header is taken from it.

        Raises:
            Malformed: It is no header, or the connection ended within it.
            TimeoutError: It was not complete in time.
            OSError: The connection was lost.
        """
        loop = asyncio.get_running_loop()
        data = b""
        async with asyncio.timeout(self._deadline):
            while (header := parse(data)) is None:
                piece = await loop.sock_recv(connection, wanted(data))
                if not piece:
                    raise Malformed("the connection ended within its header")
                data += piece
        return header.source[0] if header.source else ""

    def _trusts(self, peer: str) -> bool:
        """Return whether an address may speak for others; a unix socket's peer has none."""
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        # A dual-stack listener shows IPv4 as ::ffff:192.0.2.1.
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._networks)
