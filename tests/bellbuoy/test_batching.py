"""Batching: each law of the module, on both loops, with a query that the test answers itself."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellbuoy.batching import LINE, Batcher
from bellbuoy.errors import Overloaded, Refused
from tests.bellbuoy.querying import Queries, settle
from tests.waiting import PATIENCE


async def test_lookups_of_one_turn_are_one_query() -> None:
    """Each gets its own answer, and who wants the same key shares it."""
    queries = Queries()
    batcher = Batcher(queries.load)
    lookups = [asyncio.ensure_future(batcher.get(key)) for key in (3, 1, 3, 2)]
    (await queries.next()).set_result({1: "one", 2: "two", 3: "three"})
    assert await asyncio.gather(*lookups) == ["three", "one", "three", "two"]
    assert queries.asked == [[3, 1, 2]]


async def test_nobody_joins_a_batch_that_was_sent() -> None:
    """Who asks later is answered by a later query, even for the same key: it reads its writes."""
    queries = Queries()
    batcher = Batcher(queries.load)
    before = asyncio.ensure_future(batcher.get(1))
    first = await queries.next()
    after = asyncio.ensure_future(batcher.get(1))
    second = await queries.next()
    second.set_result({1: "new"})
    assert await after == "new"
    first.set_result({1: "old"})
    assert await before == "old"
    assert queries.asked == [[1], [1]]


async def test_a_query_goes_on_while_anybody_waits_for_it() -> None:
    """One of two gives up; the other gets its answer."""
    queries = Queries()
    batcher = Batcher(queries.load)
    leaving, staying = (asyncio.ensure_future(batcher.get(1)) for _ in range(2))
    answer = await queries.next()
    leaving.cancel()
    await settle()
    assert leaving.cancelled()
    assert queries.cancelled == []
    answer.set_result({1: "one"})
    assert await staying == "one"


async def test_a_query_is_cancelled_when_nobody_waits_any_more() -> None:
    """The database need not work for the dead."""
    queries = Queries()
    batcher = Batcher(queries.load)
    lookups = [asyncio.ensure_future(batcher.get(key)) for key in (1, 2)]
    await queries.next()
    for lookup in lookups:
        lookup.cancel()
    await asyncio.wait(lookups, timeout=5)
    await settle()
    assert queries.cancelled == [[1, 2]]


async def test_what_nobody_wants_any_more_is_not_asked_for() -> None:
    """Who gave up within the turn leaves no key behind."""
    queries = Queries()
    batcher = Batcher(queries.load)
    leaving, staying = (asyncio.ensure_future(batcher.get(key)) for key in (1, 2))
    # It runs after both have begun and before their turn is over.
    asyncio.get_running_loop().call_soon(leaving.cancel)
    (await queries.next()).set_result({2: "two"})
    assert await staying == "two"
    assert leaving.cancelled()
    assert queries.asked == [[2]]


async def test_a_turn_that_everybody_gave_up_is_no_query() -> None:
    """And the next turn is as if it had never been."""
    queries = Queries()
    batcher = Batcher(queries.load)
    leaving = asyncio.ensure_future(batcher.get(1))
    asyncio.get_running_loop().call_soon(leaving.cancel)
    await settle()
    assert leaving.cancelled()
    assert queries.asked == []
    staying = asyncio.ensure_future(batcher.get(2))
    (await queries.next()).set_result({})
    assert await staying is None


async def test_a_missing_key_is_an_answer() -> None:
    """It is ``None``, and no error."""
    queries = Queries()
    lookup = asyncio.ensure_future(Batcher(queries.load).get(7))
    (await queries.next()).set_result({})
    assert await lookup is None


async def test_a_failed_batch_fails_those_in_it_and_nobody_else() -> None:
    """The next turn's batch is asked as if nothing had been."""
    queries = Queries()
    batcher = Batcher(queries.load)
    failing = [asyncio.ensure_future(batcher.get(key)) for key in (1, 2)]
    (await queries.next()).set_exception(RuntimeError("broken"))
    results = await asyncio.gather(*failing, return_exceptions=True)
    assert [str(result) for result in results] == ["broken", "broken"]
    other = asyncio.ensure_future(batcher.get(1))
    (await queries.next()).set_result({1: "one"})
    assert await other == "one"


async def test_a_key_that_cannot_be_asked_for_does_not_join() -> None:
    """Its caller learns so at once; the others' query does not have it."""
    queries = Queries()
    batcher = Batcher(queries.load, accepts=lambda key: key > 0)
    good, bad = (asyncio.ensure_future(batcher.get(key)) for key in (1, -1))
    with pytest.raises(ValueError, match="-1 is no key"):
        await bad
    (await queries.next()).set_result({1: "one"})
    assert await good == "one"
    assert queries.asked == [[1]]


async def test_a_batch_has_a_bound() -> None:
    """What does not fit goes into another one, in the same turn."""
    queries, sizes = Queries(), list[int]()
    batcher = Batcher(queries.load, most=2, observe=sizes.append, at_once=3)
    lookups = [asyncio.ensure_future(batcher.get(key)) for key in range(5)]
    await settle()
    assert queries.asked == [[0, 1], [2, 3], [4]]
    assert sizes == [2, 2, 1]
    for answer in queries.answers:
        answer.set_result({key: str(key) for key in range(5)})
    assert await asyncio.gather(*lookups) == ["0", "1", "2", "3", "4"]


async def test_closing_refuses_who_still_waits() -> None:
    """Sent or not, and who comes later, too; closing twice does no harm."""
    queries = Queries()
    batcher = Batcher(queries.load)
    sent = asyncio.ensure_future(batcher.get(1))
    await queries.next()
    unsent = asyncio.ensure_future(batcher.get(2))
    await asyncio.sleep(0)
    await batcher.aclose()
    await batcher.aclose()
    for lookup in (sent, unsent, asyncio.ensure_future(batcher.get(3))):
        with pytest.raises(Refused):
            await lookup
    assert queries.cancelled in ([[1]], [[1], [2]])


@pytest.mark.parametrize("turns", range(4))
async def test_whenever_it_is_closed_nobody_is_left_waiting(turns: int) -> None:
    """Also between a query's making and its first step, in which it is cancelled unheard."""
    queries = Queries()
    batcher = Batcher(queries.load)
    lookup = asyncio.ensure_future(batcher.get(1))
    for _ in range(turns):
        await asyncio.sleep(0)
    await batcher.aclose()
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(Refused):
            await lookup


def test_a_bound_below_one_is_refused() -> None:
    """It could ask for nothing."""
    with pytest.raises(ValueError, match="at least 1"):
        Batcher(_never, most=0)


async def _never(_: Sequence[int]) -> Mapping[int, int]:
    raise AssertionError("asked")


@given(
    st.lists(st.lists(st.integers(0, 9), max_size=6), max_size=6),
    st.integers(1, 4),
    st.sets(st.integers(0, 40)),
    st.integers(1, 3),
)
def test_whatever_is_asked_and_given_up_everybody_who_stays_gets_the_truth(
    turns: list[list[int]], most: int, quitters: set[int], at_once: int
) -> None:
    """Any turns, any keys, any of them given up in between: no answer is lost or mixed up."""
    under_way = 0

    async def load(keys: Sequence[int]) -> Mapping[int, int]:
        nonlocal under_way
        under_way += 1
        try:
            return await answer(keys)
        finally:
            under_way -= 1

    async def answer(keys: Sequence[int]) -> Mapping[int, int]:
        assert under_way <= at_once
        assert 0 < len(keys) <= most
        assert len(set(keys)) == len(keys)
        await asyncio.sleep(0)
        return {key: key * 10 for key in keys if key % 3}

    async def play() -> None:
        batcher = Batcher(load, most=most, at_once=at_once)
        lookups: list[tuple[int, asyncio.Future[int | None]]] = []
        for keys in turns:
            lookups.extend((key, asyncio.ensure_future(batcher.get(key))) for key in keys)
            await asyncio.sleep(0)
            for number in quitters & set(range(len(lookups))):
                lookups[number][1].cancel()
        async with asyncio.timeout(5):
            await asyncio.gather(*(each for _, each in lookups), return_exceptions=True)
        for key, lookup in lookups:
            if lookup.cancelled():
                continue
            if isinstance(lookup.exception(), Overloaded):
                # The line is bounded, and this many may be more than it holds.
                assert len(lookups) > LINE * most
            else:
                assert lookup.result() == (key * 10 if key % 3 else None)
        assert batcher._open is None
        await settle()
        assert batcher._sent == set()

    asyncio.run(play())
