"""What AsyncMonitor costs: a decorated call beside an undecorated and a naively counted one.

Each round measures the three kinds of call one after the other, so that a machine that slows
down slows all of them; the table shows the medians of all rounds.
"""

import argparse
import asyncio
import datetime as dt
import functools
import json
import platform
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bellbuoy.inspector import oldest
from bellbuoy.monitor import AsyncMonitor

RESULTS = Path(__file__).with_name("results") / "monitor.json"

Call = Callable[[], Awaitable[int]]


class NaiveMonitor:
    """What one writes first: a dictionary for each name, updated in place.

    It forgets concurrent runs of one name, keeps no histogram and cannot tell what is running;
    AsyncMonitor does all that.
    """

    def __init__(self) -> None:
        """Know no names yet."""
        self.stats: dict[str, dict[str, Any]] = {}

    def track_task(self, name: str) -> Callable[[Call], Call]:
        """Return a decorator that counts calls and failures, and sums up durations."""

        def decorate(function: Call) -> Call:
            self.stats[name] = {"calls": 0, "failures": 0, "seconds": 0.0, "started": {}}

            @functools.wraps(function)
            async def tracked(*args: Any, **kwargs: Any) -> int:
                stats = self.stats[name]
                stats["calls"] += 1
                start = stats["started"][name] = time.time()
                try:
                    return await function(*args, **kwargs)
                except Exception:
                    stats["failures"] += 1
                    raise
                finally:
                    stats["seconds"] += time.time() - start
                    stats["started"].pop(name, None)

            return tracked

        return decorate


async def work() -> int:
    """Do nothing, so that only the call is measured."""
    return 1


async def measure(call: Call, calls: int) -> float:
    """Return the microseconds of one call."""
    start = time.perf_counter()
    for _ in range(calls):
        await call()
    return (time.perf_counter() - start) / calls * 1e6


async def rounds(count: int, calls: int) -> dict[str, list[float]]:
    """Measure every kind of call in every round."""
    monitor, naive = AsyncMonitor(), NaiveMonitor()
    kinds: dict[str, Call] = {
        "undecorated": work,
        "naive dictionary": naive.track_task("work")(work),
        "AsyncMonitor": monitor.track_task("work")(work),
    }
    for call in kinds.values():
        await measure(call, calls // 10)  # warm up
    figures: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(count):
        for kind, call in kinds.items():
            figures[kind].append(await measure(call, calls))
    expected = calls // 10 + count * calls
    assert monitor.get_stats().tasks["work"].completed == expected
    assert naive.stats["work"]["calls"] == expected
    assert oldest(monitor) == []
    return figures


def report(figures: dict[str, list[float]], calls: int) -> dict[str, Any]:
    """Return the figures with what one needs to judge and repeat them."""
    medians = {kind: statistics.median(several) for kind, several in figures.items()}
    bare = medians["undecorated"]
    return {
        "command": " ".join(["python", *sys.argv]),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "rounds": len(figures["undecorated"]),
        "calls_per_round": calls,
        "microseconds_per_call": {kind: round(value, 4) for kind, value in medians.items()},
        "microseconds_of_overhead": {
            kind: round(value - bare, 4) for kind, value in medians.items() if value != bare
        },
        "all_rounds": {
            kind: [round(each, 4) for each in several] for kind, several in figures.items()
        },
    }


def table(result: dict[str, Any]) -> str:
    """Return the medians as a table."""
    lines = [f"{'µs a call, median':<20}{'call':>8}{'overhead':>10}"]
    for kind, value in result["microseconds_per_call"].items():
        overhead = result["microseconds_of_overhead"].get(kind, 0.0)
        lines.append(f"{kind:<20}{value:>8.3f}{overhead:>10.3f}")
    return "\n".join(lines)


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=7, choices=range(5, 100), metavar="5..99")
    parser.add_argument("--calls", type=int, default=300_000)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    result = report(asyncio.run(rounds(options.rounds, options.calls)), options.calls)
    print(table(result))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
