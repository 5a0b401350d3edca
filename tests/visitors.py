"""Clients that come and go all the time, each with one thing to ask."""

import asyncio

from tests.clients import Address


class Visitors:
    """Clients that come, ping, take the pong and go, one after the other, until stopped.

    Attributes:
        served: How many had their pong.
        unanswered: How many found a FIN instead.
        resets: What those met who were cut.
    """

    def __init__(self, address: Address, count: int) -> None:
        """Let ``count`` of them come at once."""
        self.served = self.unanswered = 0
        self.resets: list[ConnectionError] = []
        self._address = address
        self._over = False
        self._tasks = [asyncio.create_task(self._come_and_go()) for _ in range(count)]

    async def stop(self) -> None:
        """Let nobody else come."""
        self._over = True
        await asyncio.gather(*self._tasks)

    async def _come_and_go(self) -> None:
        while not self._over:
            try:
                reader, writer = await asyncio.open_connection(*self._address)
                writer.write(b"ping")
                pong = await reader.read(4)
                self.served += pong == b"ping"
                self.unanswered += not pong
                writer.close()
                await writer.wait_closed()
            except ConnectionError as error:
                self.resets.append(error)
