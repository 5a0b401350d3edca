"""The feed: the newest text for each reader, and a bound on readers."""

import asyncio
from contextlib import ExitStack

import pytest

from bellbuoy.host.statuspage.feed import Crowded, Feed
from tests.waiting import soon


async def test_every_reader_gets_every_text_it_has_time_for() -> None:
    """Until the feed is closed."""
    feed, read = Feed(), [[], []]  # type: tuple[Feed, list[list[bytes]]]

    async def follow(texts: list[bytes]) -> None:
        async for text in feed.texts():
            texts += [text]

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        for texts in read:
            group.create_task(follow(texts))
        await asyncio.sleep(0)
        for text in (b"1", b"2"):
            feed.publish(text)
            await soon(lambda text=text: all(each[-1:] == [text] for each in read))  # type: ignore[misc]
        feed.close()
    assert read == [[b"1", b"2"]] * 2


async def test_a_slow_reader_gets_the_newest_and_not_the_missed_ones() -> None:
    """Nothing is queued for it."""
    feed = Feed()
    texts = feed.texts()
    first = asyncio.ensure_future(anext(texts))
    await asyncio.sleep(0)
    feed.publish(b"1")
    assert await first == b"1"
    for text in (b"2", b"3", b"4"):
        feed.publish(text)
    assert await anext(texts) == b"4"
    feed.close()
    assert [text async for text in texts] == []


async def test_readers_are_bounded_and_a_free_seat_is_given_again() -> None:
    """One more is refused, and told when to come again."""
    feed = Feed(most=2)
    with ExitStack() as seats:
        for _ in range(2):
            seats.enter_context(feed.seat())
        with pytest.raises(Crowded) as refused:
            seats.enter_context(feed.seat())
        assert refused.value.retry_after > 0
    with feed.seat():
        pass


async def test_it_knows_whether_anybody_reads() -> None:
    """What nobody reads need not be written."""
    feed = Feed()
    assert [feed.is_read, *_while_seated(feed), feed.is_read] == [False, True, False]


def _while_seated(feed: Feed) -> list[bool]:
    with feed.seat():
        return [feed.is_read]
