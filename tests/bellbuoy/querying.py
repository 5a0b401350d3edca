"""Queries that a test answers itself, for what sends them."""

import asyncio
from collections.abc import Mapping, Sequence


class Queries:
    """Stands for the database: keeps what it is asked, and answers when the test says so."""

    def __init__(self) -> None:
        """Know no query yet."""
        self.asked: list[list[int]] = []
        self.answers: list[asyncio.Future[Mapping[int, str]]] = []
        self.arrived = asyncio.Event()
        self.cancelled: list[list[int]] = []

    async def load(self, keys: Sequence[int]) -> Mapping[int, str]:
        """Return what the test sets."""
        answer: asyncio.Future[Mapping[int, str]] = asyncio.get_running_loop().create_future()
        self.asked.append(list(keys))
        self.answers.append(answer)
        self.arrived.set()
        try:
            return await answer
        except asyncio.CancelledError:
            self.cancelled.append(list(keys))
            raise

    async def next(self) -> "asyncio.Future[Mapping[int, str]]":
        """Return the answer that the next query waits for."""
        async with asyncio.timeout(5):
            await self.arrived.wait()
        self.arrived.clear()
        return self.answers[-1]


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(5):
        await asyncio.sleep(0)
