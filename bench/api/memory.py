"""Memory of the api under load, over minutes: whether it grows, and what the container holds.

The worker is the process that works: the one of the tree with most CPU time under load.
"""

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from bench.api.contestants import OURS
from bench.api.measurement import Arena
from bench.api.scenarios import SCENARIOS
from bench.echo.cost import proportional_memory, tree

TURN_SECONDS = 5.0
"""How long each kind of request is asked before the next one has its turn."""

WARM_UP = 0.5
"""Share of the time after which memory is expected to be flat. Caches are full sooner, but for some
minutes the allocators still take what they keep."""

MIB = 1024 * 1024

GROWTH, CONTAINER = "worker grows when warm, MiB", "container PSS at most, MiB"

TARGETS = {GROWTH: 1.0, CONTAINER: 150.0}
"""At most. A worker that is flat may still take an arena of CPython's allocator, which is 1 MiB.
Who grows less in the millions of requests of half a run keeps less than a byte of each."""


@dataclass(frozen=True)
class Moment:
    """The memory at one moment.

    Args:
        seconds: Since the load began.
        worker_mib: Resident, of the worker.
        container_mib: Of all processes, shared pages divided among their users.
    """

    seconds: float
    worker_mib: float
    container_mib: float


def measure(place: Arena, minutes: float) -> tuple[dict[str, float], list[Moment]]:
    """Load the api with every kind of request in turn; return what became of its memory.

    Of the moments it returns one in each turn of all kinds.
    """
    server = place.servers[OURS]
    scenarios = [each for each in SCENARIOS if OURS in each.contestants and each.connections > 1]
    for scenario in scenarios:
        place.verify(scenario)
        place.sample(scenario, OURS, 0, 1)
    worker = max(tree(server.pid), key=alone)
    moments: list[Moment] = []
    answered, began = 0.0, time.monotonic()
    for number, scenario in enumerate(cycle(scenarios), start=1):
        seen = place.sample(scenario, OURS, number, TURN_SECONDS)
        answered += seen.per_second * TURN_SECONDS
        now = time.monotonic() - began
        container = proportional_memory(server.pid) / MIB
        moments.append(Moment(now, resident(worker) / MIB, container))
        if now >= minutes * 60:
            break
    figures = summary(moments, len(scenarios)) | {"requests": round(answered)}
    return figures, moments[:: len(scenarios)]


def summary(moments: Sequence[Moment], kinds: int) -> dict[str, float]:
    """Return start, end, most, and by how much the worker grows once it is warm.

    That is from the first turn of all kinds of requests to the last one, the median of each: where
    one moment falls decides nothing, and neither does when an arena was taken.

    Args:
        moments: One for each turn of a kind.
        kinds: How many kinds there are.
    """
    warm = [each for each in moments if each.seconds >= moments[-1].seconds * WARM_UP]
    assert len(warm) >= 2 * kinds, "too short to see whether it grows"
    first, last = (
        statistics.median(each.worker_mib for each in turn)
        for turn in (warm[:kinds], warm[-kinds:])
    )
    return {
        "minutes": round(moments[-1].seconds / 60, 2),
        "worker RSS at the start, MiB": round(moments[0].worker_mib, 2),
        "worker RSS when warm, MiB": round(warm[0].worker_mib, 2),
        "worker RSS at the end, MiB": round(moments[-1].worker_mib, 2),
        GROWTH: round(last - first, 3),
        CONTAINER: round(max(each.container_mib for each in moments), 2),
    }


def judge(figures: Mapping[str, float]) -> list[dict[str, object]]:
    """Return every target beside its figure."""
    return [
        {
            "what": what,
            "figure": figures[what],
            "target": f"<= {most:g}",
            "met": figures[what] <= most,
        }
        for what, most in TARGETS.items()
    ]


def resident(pid: int) -> int:
    """Return the bytes of a process that are in memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"{pid} has no memory")


def alone(pid: int) -> float:
    """Return the CPU time of one process without its children, in seconds."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9
