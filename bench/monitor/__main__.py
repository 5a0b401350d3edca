"""What AsyncMonitor costs: a decorated call beside an undecorated one and beside its peers.

make bench-monitor [ARGS="--rounds 9"]

Each round measures every contestant once, each in a process of its own, so that a machine that
slows down slows all of them; the table shows the medians. The result is kept for each version of
Python: run it again in an environment of another one.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from typing import Any

from bench.monitor.contestants import CONTESTANTS, measure
from bench.report import RESULTS, write_bars, write_json

BARE, OURS, NAIVE = "undecorated", "bellbuoy AsyncMonitor", "naive dictionary"
MULTI = "prometheus-async, multi-process"
MOST, TIMES = 0.5, 12.0
"""The targets: microseconds a decorated call adds, and how many times as much the peer adds."""


def main() -> None:
    """Measure, print and write the result; or measure one, as a child does."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=7, choices=range(1, 100), metavar="1..99")
    parser.add_argument("--seconds", type=float, default=2.5, help="of each in each round")
    parser.add_argument("--only", choices=CONTESTANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(asyncio.run(measure(options.only, options.seconds)))
        return
    figures: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    for _ in range(options.rounds):
        for name, several in figures.items():
            several.append(child(name, options.seconds))
    row = report(figures) | {"seconds": options.seconds}
    show(row)
    keep(row)


def child(name: str, seconds: float) -> float:
    """Measure one contestant in a process of its own."""
    command = [sys.executable, "-m", "bench.monitor", "--only", name, "--seconds", str(seconds)]
    with tempfile.TemporaryDirectory() as folder:
        shared = {"PROMETHEUS_MULTIPROC_DIR": folder} if name == MULTI else {}
        environ = {**os.environ, **shared}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)  # noqa: S603
    return float(done.stdout)


def report(figures: dict[str, list[float]]) -> dict[str, Any]:
    """Return medians, what each adds to a bare call, and the targets."""
    medians = {name: statistics.median(several) for name, several in figures.items()}
    added = {name: value - medians[BARE] for name, value in medians.items()}
    return {
        "microseconds_a_call": {name: round(value, 3) for name, value in medians.items()},
        "microseconds_added": {name: round(value, 3) for name, value in added.items()},
        "targets": {
            f"adds at most {MOST} us": added[OURS] <= MOST,
            "adds less than the naive dictionary": added[OURS] < added[NAIVE],
            f"adds at most a {TIMES:.0f}th of prometheus-async in multi-process mode": (
                added[OURS] * TIMES <= added[MULTI]
            ),
        },
        "times_cheaper_than_multi_process": round(added[MULTI] / added[OURS], 1),
        "all_rounds": {name: [round(each, 3) for each in all_] for name, all_ in figures.items()},
    }


def show(row: dict[str, Any]) -> None:
    """Print the medians and whether the targets are met."""
    print(f"Python {platform.python_version()}, us, medians{'':13}{'a call':>8}{'adds':>8}")
    for name, value in row["microseconds_a_call"].items():
        print(f"{name:<40}{value:>8.3f}{row['microseconds_added'][name]:>8.3f}")
    for target, met in row["targets"].items():
        print(f"{'met' if met else 'MISSED':<8}{target}")
    print(f"{row['times_cheaper_than_multi_process']} times cheaper than {MULTI}")


def keep(row: dict[str, Any]) -> None:
    """Write the result beside those of other versions, and the chart of all."""
    path = RESULTS / "monitor.json"
    known = json.loads(path.read_text())["results"] if path.exists() else {}
    version = ".".join(platform.python_version_tuple()[:2])
    results = {**known, version: row}
    write_json("monitor", "make bench-monitor", dict(sorted(results.items())))
    bars = {
        f"Python {each}": [
            (name, value) for name, value in result["microseconds_added"].items() if name != BARE
        ]
        for each, result in sorted(results.items())
    }
    write_bars("monitor", "What counting a call adds to it, µs", bars)


if __name__ == "__main__":
    main()
