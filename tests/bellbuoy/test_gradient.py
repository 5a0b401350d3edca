"""The gradient, against servers simulated in virtual time."""

import heapq
import random
from collections import deque
from dataclasses import dataclass

import pytest

from bellbuoy.gradient import Gradient

PLACES = 5
"""What the simulated server works on at once; the rest queues in it, first come first served."""


@dataclass
class Outcome:
    """What a stretch of simulated time came to."""

    goodput: float
    """Answers a second."""

    latency: float
    """Seconds that the slowest of a hundred answers took at least."""

    limit: float
    """The limit, on average."""


class Simulation:
    """An open loop of requests, a gradient that admits or refuses them, and a server."""

    def __init__(self, gradient: Gradient | None, service: float, places: int = PLACES) -> None:
        """Serve each request in ``service`` seconds, more or less, ``places`` of them at once."""
        self.now = 0.0
        self.service = service
        self.places = places
        self.gradient = gradient or Gradient(PLACES, 256, clock=lambda: self.now)
        self._random = random.Random(7)  # noqa: S311 - the same numbers each time
        self._busy: list[tuple[float, float]] = []
        self._queue: deque[float] = deque()

    def run(self, seconds: float, rate: float) -> Outcome:
        """Let time pass with ``rate`` requests a second."""
        end, arrival = self.now + seconds, self.now + self._random.expovariate(rate)
        latencies, limits = [], []
        while min(arrival, self._next_end()) < end:
            if self._next_end() <= arrival:
                latencies.append(self._finish())
                limits.append(self.gradient.limit)
            else:
                self.now = arrival
                if len(self._busy) + len(self._queue) < self.gradient.limit:
                    self._queue.append(arrival)
                    self._begin()
                arrival += self._random.expovariate(rate)
        self.now = end
        slowest = sorted(latencies)[len(latencies) * 99 // 100]
        return Outcome(len(latencies) / seconds, slowest, sum(limits) / len(limits))

    def _next_end(self) -> float:
        return self._busy[0][0] if self._busy else float("inf")

    def _begin(self) -> None:
        while self._queue and len(self._busy) < self.places:
            took = self.service * self._random.uniform(0.7, 1.3)
            heapq.heappush(self._busy, (self.now + took, self._queue.popleft()))

    def _finish(self) -> float:
        in_use = len(self._busy) + len(self._queue)
        self.now, admitted = heapq.heappop(self._busy)
        self.gradient.learn(self.now - admitted, in_use)
        self._begin()
        return self.now - admitted


@pytest.mark.parametrize("times", [2, 5, 10])
@pytest.mark.parametrize("service", [0.004, 0.015, 0.1])
def test_overload_costs_neither_goodput_nor_patience(service: float, times: int) -> None:
    """After five seconds to learn: as much is answered as can be, and nobody waits long for it."""
    simulation = Simulation(None, service)
    capacity = PLACES / service
    simulation.run(5, capacity * times)
    outcome = simulation.run(20, capacity * times)
    assert outcome.goodput > 0.97 * capacity
    assert outcome.latency < 4 * service + 0.08
    assert outcome.limit < 100


def test_below_capacity_nobody_is_refused() -> None:
    """Nor does the limit sink, or grow beyond what is used."""
    simulation = Simulation(None, 0.015)
    outcome = simulation.run(20, 0.7 * PLACES / 0.015)
    assert outcome.goodput > 0.68 * PLACES / 0.015
    assert outcome.limit == 64


def test_the_limit_comes_back_after_overload() -> None:
    """Within seconds, as soon as it is needed."""
    simulation = Simulation(None, 0.015)
    simulation.run(10, 3300)
    simulation.service = 0.001
    outcome = simulation.run(5, 3300)
    assert outcome.goodput > 0.9 * 3300


def test_work_that_became_slow_for_good_is_learned_anew() -> None:
    """A twentieth of the speed is no reason to leave places empty for ever."""
    simulation = Simulation(None, 0.01)
    simulation.run(5, 1000)
    simulation.service = 0.2
    simulation.run(5, 500)
    outcome = simulation.run(20, 500)
    assert outcome.goodput > 0.95 * PLACES / 0.2
    assert simulation.gradient.undisturbed > 0.15


@pytest.mark.parametrize("service", [0.025, 0.04, 0.3])
@pytest.mark.parametrize("crowd", [20, 200])
def test_work_that_became_slow_without_a_queue_is_learned_anew(service: float, crowd: int) -> None:
    """A longer way to where nothing queues refuses nobody for good, whatever the limit was."""
    simulation = Simulation(None, 0.001, places=1000)
    simulation.run(1 if crowd > 64 else 0.5, crowd / 0.001)
    simulation.service = service
    rate = 50 / service
    simulation.run(20, rate)
    outcome = simulation.run(20, rate)
    assert outcome.goodput > 0.98 * rate
    assert simulation.gradient.undisturbed > 0.7 * service


def test_a_queue_is_not_taken_for_what_undisturbed_looks_like() -> None:
    """However long the overload goes on."""
    simulation = Simulation(None, 0.015)
    simulation.run(2, 0.5 * PLACES / 0.015)
    for _ in range(10):
        simulation.run(10, 10 * PLACES / 0.015)
        assert simulation.gradient.undisturbed < 0.02


def test_a_millisecond_may_queue() -> None:
    """What is fast anyway is not throttled for its relative slowness: batches live on it."""
    gradient = Gradient(5, 256, clock=iter(float(n) for n in range(10_000)).__next__)
    for _ in range(50):
        gradient.learn(0.0005, 200)
    for _ in range(500):
        gradient.learn(0.015, 200)
    assert gradient.limit == 256


def test_what_fails_fast_teaches_nothing_and_what_fails_late_does() -> None:
    """A refusal is no sign of speed; a timeout is one of trouble."""
    gradient = Gradient(5, 256, clock=iter(float(n) for n in range(10_000)).__next__)
    for _ in range(50):
        gradient.learn(0.05, 10)
    for _ in range(50):
        gradient.learn(0.0001, 10, failed=True)
    assert (gradient.undisturbed, gradient.limit) == (0.05, 64)
    for _ in range(100):
        gradient.learn(1.0, 20, failed=True)
    assert gradient.limit < 10


def test_a_window_has_a_bound() -> None:
    """However much happens in it."""
    gradient = Gradient(5, 256, clock=lambda: 0.0)
    for _ in range(10_000):
        gradient.learn(0.01, 10)
    assert len(gradient._samples) == 500


def test_the_clock_may_be_too_coarse_for_what_it_measures() -> None:
    """No time at all divides nothing by zero."""
    gradient = Gradient(5, 256, clock=iter(float(n) for n in range(10_000)).__next__)
    for _ in range(50):
        gradient.learn(0.0, 64)
    assert gradient.limit > 64


@pytest.mark.parametrize("least, most", [(0, 1), (2, 1)])
def test_what_makes_no_sense_is_refused(least: int, most: int) -> None:
    """A limit that lets nobody in."""
    with pytest.raises(ValueError, match="least"):
        Gradient(least, most)
