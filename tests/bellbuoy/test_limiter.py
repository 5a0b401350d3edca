"""Concurrency: turns are neither lost nor given twice, whoever is refused or cancelled."""

import asyncio
import random

import pytest

from bellbuoy.errors import Overloaded, Refused
from bellbuoy.gradient import Gradient
from bellbuoy.limiter import ConcurrencyLimiter


class Work:
    """Something that takes as long as a test wants."""

    def __init__(self) -> None:
        """Not be called yet."""
        self.order: list[int] = []
        self.ends = asyncio.Event()

    def start(self, limiter: ConcurrencyLimiter, number: int) -> "asyncio.Task[int]":
        """Ask ``limiter`` for a turn."""

        async def work() -> int:
            self.order.append(number)
            await self.ends.wait()
            return number

        return asyncio.ensure_future(limiter.execute(work))


async def turns(count: int = 3) -> None:
    """Let the loop turn a few times."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_so_many_work_so_many_wait_and_one_more_is_refused_at_once() -> None:
    """In the order in which they came."""
    limiter, work = ConcurrencyLimiter(2, 3, timeout=60), Work()
    tasks = [work.start(limiter, number) for number in range(6)]
    await turns()
    held = limiter.statistics()
    assert (held.limit, held.in_use, held.waiting, held.full, held.late) == (2, 2, 3, 1, 0)
    with pytest.raises(Overloaded) as refusal:
        await tasks[5]
    assert (refusal.value.reason, refusal.value.retry_after) == ("full", 1)
    assert isinstance(refusal.value, Refused)
    work.ends.set()
    assert await asyncio.gather(*tasks[:5]) == work.order == [0, 1, 2, 3, 4]
    held = limiter.statistics()
    assert (held.in_use, held.waiting, held.admitted) == (0, 0, 5)


async def test_who_waits_too_long_is_refused_and_the_rest_go_on_waiting() -> None:
    """Each has its own time, whatever the machine does meanwhile."""
    limiter, work = ConcurrencyLimiter(1, 10, timeout=60), Work()
    first, early = work.start(limiter, 0), work.start(limiter, 1)
    await turns()
    late = work.start(limiter, 2)
    await turns()
    # The time of the one is over, that of the other is not.
    turn = next(iter(limiter._line))
    limiter._line[turn] -= 60
    limiter._expire()
    with pytest.raises(Overloaded, match="turn") as refusal:
        await early
    assert refusal.value.reason == "late"
    assert not late.done()
    assert limiter._timer is not None
    work.ends.set()
    assert list(await asyncio.gather(first, late)) == [0, 2]
    assert limiter.statistics().late == 1


async def test_the_time_of_who_waits_passes_by_itself() -> None:
    """Nobody has to do anything for it, and no timer is left behind."""
    limiter = ConcurrencyLimiter(1, 10, timeout=0.01)
    await limiter.acquire()
    for _ in range(2):
        refusals = await asyncio.gather(
            limiter.acquire(), limiter.acquire(), return_exceptions=True
        )
        assert [type(each) for each in refusals] == [Overloaded, Overloaded]
        assert limiter._timer is None
    assert limiter.statistics().late == 4


async def test_nobody_overtakes_the_line() -> None:
    """A turn that gets free is for who waits, not for who comes in that moment."""
    limiter, work = ConcurrencyLimiter(1, 10, timeout=60), Work()
    first, second = work.start(limiter, 0), work.start(limiter, 1)
    await turns()
    work.ends.set()
    await first
    third = work.start(limiter, 2)
    await asyncio.gather(second, third)
    assert work.order == [0, 1, 2]


async def test_who_is_cancelled_in_line_leaves_it() -> None:
    """The next one has its place."""
    limiter, work = ConcurrencyLimiter(1, 2, timeout=60), Work()
    first, second, third = (work.start(limiter, number) for number in range(3))
    await turns()
    second.cancel()
    await turns()
    assert limiter.statistics().waiting == 1
    work.ends.set()
    assert list(await asyncio.gather(first, third)) == [0, 2]
    assert second.cancelled()


async def test_a_turn_given_to_one_who_is_cancelled_in_that_moment_goes_on() -> None:
    """Otherwise it would be lost for good."""
    limiter, work = ConcurrencyLimiter(1, 2, timeout=60), Work()
    await limiter.acquire()
    second, third = work.start(limiter, 2), work.start(limiter, 3)
    await turns()
    limiter.release(0)
    second.cancel()
    work.ends.set()
    assert await third == 3
    assert second.cancelled()
    held = limiter.statistics()
    assert (held.in_use, held.waiting, held.admitted) == (0, 0, 2)


async def test_one_who_is_cancelled_while_being_refused_disturbs_nobody() -> None:
    """No turn was given, so none goes on."""
    limiter = ConcurrencyLimiter(1, 2, timeout=60)
    await limiter.acquire()
    second = asyncio.ensure_future(limiter.acquire())
    await turns()
    (turn,) = limiter._line
    del limiter._line[turn]
    turn.set_exception(Overloaded("", 1, "late"))
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    assert limiter.statistics().in_use == 1


async def test_the_turn_comes_back_whatever_happens() -> None:
    """An error of the work is the caller's."""
    limiter = ConcurrencyLimiter(1)

    async def fail() -> None:
        raise KeyError

    for _ in range(3):
        with pytest.raises(KeyError):
            await limiter.execute(fail)
        with pytest.raises(ZeroDivisionError):
            async with limiter:
                raise ZeroDivisionError
    assert limiter.statistics().in_use == 0
    assert limiter._since == {}


async def test_one_task_may_hold_several_turns() -> None:
    """A block within a block counts twice."""
    limiter = ConcurrencyLimiter(2)
    async with limiter:
        async with limiter:
            assert limiter.statistics().in_use == 2
            with pytest.raises(Overloaded):
                await limiter.acquire()
        assert limiter.statistics().in_use == 1
    assert limiter.statistics().in_use == 0


@pytest.mark.parametrize("seed", range(5))
async def test_no_turn_is_lost_or_given_twice(seed: int) -> None:
    """Whatever is cancelled, refused, failed or finished, in whatever order."""
    chance = random.Random(seed)  # noqa: S311 - the same numbers each time
    limiter = ConcurrencyLimiter(3, 5, timeout=0.004)
    running = most = 0

    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            for _ in range(chance.randrange(6)):
                await asyncio.sleep(chance.choice([0, 0, 0.001]))
            if chance.random() < 0.2:
                raise KeyError
        finally:
            running -= 1

    tasks = []
    for _ in range(400):
        tasks.append(asyncio.ensure_future(limiter.execute(work)))
        if chance.random() < 0.5:
            chance.choice(tasks[-10:]).cancel()
        await asyncio.sleep(chance.choice([0, 0, 0, 0.001]))
    await asyncio.gather(*tasks, return_exceptions=True)
    held = limiter.statistics()
    assert (held.in_use, held.waiting, running, most) == (0, 0, 0, 3)
    async with asyncio.timeout(5):
        for _ in range(3):
            await limiter.acquire()


async def test_an_adaptive_limit_follows_the_latency_and_stays_below_the_fixed_one() -> None:
    """What it learned holds for the next one that comes; what stays slow is learned anew."""
    clock = iter(float(n) for n in range(100_000))
    limiter = ConcurrencyLimiter(
        50, adaptive=Gradient(2, 256, clock=clock.__next__), clock=lambda: 0.0
    )
    assert limiter.statistics().limit == 50
    for seconds, low, high in ((0.01, 50, 50), (10.0, 2, 10)):
        limits = []
        for _ in range(100):
            turns = limiter.statistics().limit
            limits.append(turns)
            for _ in range(turns):
                await limiter.acquire()
            for _ in range(turns):
                limiter.release(seconds)
        assert low <= min(limits) <= high
        assert max(limits) == 50


@pytest.mark.parametrize("most, waiting, timeout", [(0, 0, 1), (1, -1, 1), (1, 1, 0)])
def test_what_makes_no_sense_is_refused(most: int, waiting: int, timeout: float) -> None:
    """A limiter that lets nobody in, or for ever wait."""
    with pytest.raises(ValueError, match="positive"):
        ConcurrencyLimiter(most, waiting, timeout)
