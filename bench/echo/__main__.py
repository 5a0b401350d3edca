"""The echo service beside its peers.

make bench-echo

Prints the tables with the targets beside the figures, writes bench/results/echo.json and
bench/results/echo.svg. Every figure is the median of five rounds, in which contestants take turns
where there are several, or of seven turns beside a quiet service; of what nobody may lose it is the
worst. Needs a C compiler and two cores;
takes about nine minutes: four for speed, three for many connections, two for bad neighbours and a
second worker. The JSON file has all rounds, and how long each part took.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from bench.echo import balance, capacity, neighbours
from bench.echo.rounds import Rounds, gather, summary
from bench.echo.targets import Target, Verdict, judge
from bench.echo.throughput import LOAD_CORE, WORKLOADS, Results, Sample, measure, median
from bench.report import write_bars, write_json, write_tables

LIMIT, OURS, GO, TUTORIAL = "epoll in C", "bellbuoy", "Go net", "tutorial"

CPU_LIMIT, CPU_GO, CPU_TUTORIAL = (f"CPU a message, x {name}" for name in (LIMIT, GO, TUTORIAL))
THROUGHPUT = f"MiB a second, x {LIMIT}"

SPEED_TARGETS = {
    WORKLOADS[0]: (
        Target(CPU_LIMIT, "<=", 1.22),
        Target(CPU_GO, "<=", 1.0),
        Target(CPU_TUTORIAL, "<=", 0.5),
    ),
    WORKLOADS[1]: (
        Target(CPU_LIMIT, "<=", 1.40),
        Target(CPU_GO, "<=", 1.0),
        Target(CPU_TUTORIAL, "<=", 0.5),
    ),
    WORKLOADS[2]: (Target(THROUGHPUT, ">=", 0.75),),
}

CAPACITY_TARGETS = (
    Target("bytes per idle connection", "<=", 2048),
    Target("accepted a second", ">=", 10_000),
    Target("10,000 idle, % of a core", "<", 0.5),
    Target("1 byte beside them, p99 us", "<", 1000),
    Target("burst: lost", "==", 0),
    Target("burst: listen overflows", "==", 0),
    Target("crowd: served", "==", 15_000),
    Target("crowd: lost", "==", 0),
)

NEIGHBOUR_TARGETS = (
    # The mark, the one read that goes over it, and what a connection costs anyway.
    Target("KiB per client that never reads", "<=", 256 + 256 + 2),
    Target("p99 beside 1,000 that never read, x without", "<=", 1.5),
    Target("p99 beside 5,000 that drip, x without", "<", 2),
)

BALANCE_TARGETS = (
    Target("CPU a message, two workers over one", "<=", 1.10),
    Target("share of the busier worker", "<=", 0.60),
)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    chosen = " ".join(sys.argv[1:])
    command = f'make bench-echo ARGS="{chosen}"' if chosen else "make bench-echo"
    os.sched_setaffinity(0, {LOAD_CORE})  # clients of this process; servers are pinned elsewhere
    took: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        build = Path(folder)
        with timed("throughput", took):
            throughput = measure(build, options.rounds, options.seconds)
        verdicts = show_throughput(throughput)
        with timed("capacity", took):
            crowds = capacity.measure(build, options.rounds)
        many = {name: summary(each, capacity.WORST) for name, each in crowds.items()}
        verdicts["many connections"] = show("Many connections", many, CAPACITY_TARGETS)
        with timed("neighbours", took):
            neighbouring = neighbours.measure(build, options.rounds)
        beside = {OURS: summary(neighbouring)}
        budget = f"Bad neighbours, with a write budget of {neighbours.BUDGET >> 20} MiB"
        verdicts["bad neighbours"] = show(budget, beside, NEIGHBOUR_TARGETS)
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
        with timed("balance", took):
            balanced = balance.measure(build, options.rounds, options.seconds)
        workers = {OURS: summary(balanced)}
        verdicts["two workers"] = show("Two workers", workers, BALANCE_TARGETS)
    rows = {str(workload): table(samples) for workload, samples in throughput.items()}
    results = {
        "throughput": rows,
        "capacity": many,
        "neighbours": beside,
        "balance": workers,
        "targets": {part: [each.record() for each in those] for part, those in verdicts.items()},
        "seconds": took,
        "rounds": {
            "throughput": {str(workload): in_turn(each) for workload, each in throughput.items()},
            "capacity": crowds,
            "neighbours": {OURS: neighbouring},
            "balance": {OURS: balanced},
        },
    }
    write_json("echo", command, results)
    write_tables("echo", command, {**speed_tables(throughput), **target_tables(verdicts)})
    write_bars(
        "echo",
        "Echo: server CPU time a message, in microseconds (less is better)",
        {
            heading: [(name, figures["cpu_us"]) for name, figures in rows[heading].items()]
            for heading in rows
        },
    )


@contextmanager
def timed(part: str, took: dict[str, float]) -> Iterator[None]:
    """Note in ``took``, and print, how many seconds a part takes."""
    began = time.monotonic()
    yield
    took[part] = round(time.monotonic() - began, 1)
    print(f"\n({part} took {took[part]:.0f} s)")


def in_turn(samples: dict[str, list[Sample]]) -> dict[str, Rounds]:
    """Return the rounds of one workload by contestant."""
    return {name: gather(map(asdict, each)) for name, each in samples.items()}


def table(samples: dict[str, list[Sample]]) -> dict[str, dict[str, float]]:
    """Return the medians of one workload by contestant."""
    fields = ("cpu_us", "messages_per_second", "mib_per_second", "p99_us")
    return {
        name: {field: round(median(each, field), 3) for field in fields}
        for name, each in samples.items()
    }


def speed_tables(results: Results) -> dict[str, list[list[str]]]:
    """Return the medians of each workload as text."""
    head = ["", "CPU, µs", "x epoll", "messages/s", "MiB/s", "p99, µs"]
    tables = {}
    for workload, samples in results.items():
        limit = median(samples[LIMIT], "cpu_us")
        tables[str(workload)] = [head] + [
            [
                name,
                f"{row['cpu_us']:.2f}",
                f"{row['cpu_us'] / limit:.2f}",
                f"{row['messages_per_second']:,.0f}",
                f"{row['mib_per_second']:,.0f}",
                f"{row['p99_us']:,.0f}",
            ]
            for name, row in table(samples).items()
        ]
    return tables


def target_tables(verdicts: dict[str, list[Verdict]]) -> dict[str, list[list[str]]]:
    """Return the verdicts as text."""
    head = ["figure", "measured", "target", ""]
    return {
        f"Targets: {part}": [head] + [each.row() for each in those]
        for part, those in verdicts.items()
    }


def show_throughput(results: Results) -> dict[str, list[Verdict]]:
    """Print a table for each workload, and the targets below; return the verdicts."""
    verdicts = {}
    for workload, samples in results.items():
        print(f"\n{workload}")
        for row in speed_tables({workload: samples})[str(workload)]:
            print(f"  {row[0]:22}" + "".join(f"{cell:>12}" for cell in row[1:]))
        verdicts[str(workload)] = judge(SPEED_TARGETS[workload], relative(samples))
        show_verdicts(verdicts[str(workload)])
    return verdicts


def relative(samples: dict[str, list[Sample]]) -> dict[str, float]:
    """Return our medians over those of who takes part."""
    ours = {field: median(samples[OURS], field) for field in ("cpu_us", "mib_per_second")}
    figures = {
        f"CPU a message, x {name}": ours["cpu_us"] / median(samples[name], "cpu_us")
        for name in (LIMIT, GO, TUTORIAL)
        if name in samples
    }
    share = ours["mib_per_second"] / median(samples[LIMIT], "mib_per_second")
    return {**figures, THROUGHPUT: share}


def show(
    title: str, figures: dict[str, dict[str, float]], targets: tuple[Target, ...]
) -> list[Verdict]:
    """Print figures by contestant, and the targets below; return the verdicts on ours."""
    print(f"\n{title}")
    print(f"  {'':46}" + "".join(f"{name[:18]:>20}" for name in figures))
    for name in next(iter(figures.values())):
        values = "".join(f"{each.get(name, float('nan')):>20,.2f}" for each in figures.values())
        print(f"  {name:46}{values}")
    verdicts = judge(targets, figures[OURS])
    show_verdicts(verdicts)
    return verdicts


def show_verdicts(verdicts: list[Verdict]) -> None:
    """Print each target, what was measured, and whether it is met."""
    print("  targets")
    for verdict in verdicts:
        print(verdict, flush=True)


if __name__ == "__main__":
    main()
