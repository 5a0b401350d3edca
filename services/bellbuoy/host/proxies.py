"""Proxies in front of a service: who is believed, and who the client is behind them.

Law of this file: nothing is guessed. Where proxies are configured, every connection must come
from one and begin with its header; the header is read byte for byte and not one too many, so that
TLS or the service itself finds what follows.
"""

import asyncio
import socket

from bellbuoy.networks import Networks
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
        self._deadline = deadline
        self.trusts = Networks(networks, variable).hold

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
