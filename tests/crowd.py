"""A crowd: clients of both services for as long as somebody watches, paced and few."""

import asyncio
import math
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp

PACE = 0.02
"""Seconds between two requests of one client: a crowd of ten makes some 400 a second."""

_PATHS = ("/", "/Ada", "/users/1", "/users/7", "/users?limit=20", "/health", "/users/999999")


@asynccontextmanager
async def crowd(
    api: str, token: str, echo: tuple[str, int] | None = None, clients: int = 10
) -> AsyncIterator[None]:
    """Keep ``clients`` busy with each service, come what may."""
    headers = {"Authorization": f"Bearer {token}"}
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(api, headers=headers, timeout=timeout) as session:
        tasks = [asyncio.create_task(_visit(session, number)) for number in range(clients)]
        if echo is not None:
            tasks += [asyncio.create_task(_talk(echo)) for _ in range(clients)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _visit(session: aiohttp.ClientSession, number: int) -> None:
    chance = random.Random(number)  # noqa: S311 - the same crowd every time
    loop = asyncio.get_running_loop()
    while True:
        with suppress(aiohttp.ClientError, TimeoutError):
            async with session.get(chance.choice(_PATHS)) as response:
                await response.read()
        # A tide, so that a chart is no straight line.
        tide = 1.4 + math.sin(loop.time() / 9) + chance.random()
        await asyncio.sleep(PACE * tide)


async def _talk(address: tuple[str, int]) -> None:
    chance = random.Random(address[1])  # noqa: S311 - as above
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection(*address)
            try:
                for _ in range(chance.randrange(100, 400)):
                    writer.write(b"x" * chance.randrange(10, 2000))
                    await reader.read(65536)
                    await asyncio.sleep(PACE * (1 + chance.random()))
            finally:
                writer.close()
        await asyncio.sleep(PACE)
