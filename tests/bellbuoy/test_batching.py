"""Batching: each law of the module, on both loops, with a query that the test answers itself."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellbuoy.batching import LINE, Batcher
from bellbuoy.errors import Overloaded, Refused


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


def test_a_bound_below_one_is_refused() -> None:
    """It could ask for nothing."""
    with pytest.raises(ValueError, match="at least 1"):
        Batcher(_never, most=0)


async def _never(_: Sequence[int]) -> Mapping[int, int]:
    raise AssertionError("asked")


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
            if not lookup.cancelled():
                assert lookup.result() == (key * 10 if key % 3 else None)
        assert batcher._open is None
        await settle()
        assert batcher._sent == set()

    asyncio.run(play())
