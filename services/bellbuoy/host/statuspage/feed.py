"""The feed: one text a second for every reader.

Law of this file: nobody is waited for. A reader that is slow misses texts and gets the newest; how
many read at once is bounded.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

from bellbuoy.errors import Refused

MOST = 32
"""Readers at once: an operator has a few windows open, a loop that opens more gains nothing."""

COME_BACK = 5.0
"""Seconds after which one more may try again."""


class Crowded(Refused):
    """There are as many readers as there may be."""


class Feed:
    """Hands the newest text to every reader.

    Args:
        most: Readers at once.
    """

    def __init__(self, most: int = MOST) -> None:
        """Have no text yet."""
        self._most = most
        self._readers = 0
        self._text = b""
        self._count = 0
        self._closed = False
        self._news = asyncio.Event()

    @contextmanager
    def seat(self) -> Iterator[None]:
        """Be one of the readers.

        Raises:
            Crowded: There are enough.
        """
        if self._readers >= self._most:
            raise Crowded("There are as many readers of this page as there may be.", COME_BACK)
        self._readers += 1
        try:
            yield
        finally:
            self._readers -= 1

    @property
    def is_read(self) -> bool:
        """Whether there is any reader."""
        return self._readers > 0

    def publish(self, text: bytes) -> None:
        """Hand out a text."""
        self._text = text
        self._count += 1
        self._wake()

    def close(self) -> None:
        """End all reading; idempotent."""
        self._closed = True
        self._wake()

    async def texts(self) -> AsyncGenerator[bytes, None]:
        """Yield each text that comes; of those that came meanwhile, the newest."""
        seen = self._count
        while not self._closed:
            if seen == self._count:
                await self._news.wait()
            else:
                seen = self._count
                yield self._text

    def _wake(self) -> None:
        # Whoever waits has the old event; who comes from now on waits for the next.
        news, self._news = self._news, asyncio.Event()
        news.set()
