"""How many queries are under way at once, and what becomes of who waits for a turn."""

import asyncio

import pytest

from bellbuoy.batching import LINE, Batcher
from bellbuoy.errors import Overloaded
from tests.bellbuoy.querying import Queries, settle


async def test_while_queries_are_under_way_the_next_batch_grows() -> None:
    """Turns of the loop come and go; what they ask for is one query when there is a turn for it."""
    queries = Queries()
    batcher = Batcher(queries.load, at_once=1)
    lookups = [asyncio.ensure_future(batcher.get(1))]
    first = await queries.next()
    for key in (2, 3, 4):
        lookups.append(asyncio.ensure_future(batcher.get(key)))
        await settle()
    assert queries.asked == [[1]]
    first.set_result({})
    (await queries.next()).set_result({2: "two", 3: "three", 4: "four"})
    assert await asyncio.gather(*lookups) == [None, "two", "three", "four"]
    assert queries.asked == [[1], [2, 3, 4]]


async def test_a_failed_query_gives_its_turn_on() -> None:
    """And so does one that was cancelled."""
    queries = Queries()
    batcher = Batcher(queries.load, at_once=1)
    failing = asyncio.ensure_future(batcher.get(1))
    first = await queries.next()
    leaving = asyncio.ensure_future(batcher.get(2))
    await settle()
    first.set_exception(RuntimeError("broken"))
    with pytest.raises(RuntimeError):
        await failing
    await queries.next()
    staying = asyncio.ensure_future(batcher.get(3))
    await settle()
    leaving.cancel()
    (await queries.next()).set_result({3: "three"})
    assert await staying == "three"
    assert queries.asked == [[1], [2], [3]]


async def test_who_gets_no_turn_in_time_is_refused() -> None:
    """Whether the batch is full or not; the query under way goes on."""
    queries = Queries()
    batcher = Batcher(queries.load, most=2, at_once=1, patience=0.01)
    first = asyncio.ensure_future(batcher.get(1))
    answer = await queries.next()
    late = [asyncio.ensure_future(batcher.get(key)) for key in (2, 3, 4)]
    for lookup in late:
        with pytest.raises(Overloaded, match="no turn"):
            await lookup
    answer.set_result({1: "one"})
    assert await first == "one"
    again = asyncio.ensure_future(batcher.get(5))
    (await queries.next()).set_result({5: "five"})
    assert await again == "five"
    assert queries.asked == [[1], [5]]


async def test_the_line_is_bounded() -> None:
    """Who comes when it is full is refused at once."""
    queries = Queries()
    batcher = Batcher(queries.load, most=1, at_once=1)
    lookups = [asyncio.ensure_future(batcher.get(key)) for key in range(LINE + 1)]
    await settle()
    with pytest.raises(Overloaded, match="Too much"):
        await batcher.get(99)
    await batcher.aclose()
    await asyncio.gather(*lookups, return_exceptions=True)
