"""The echo service beside its peers.

make bench-echo

Prints the tables with the targets beside the figures, writes bench/results/echo.json and
bench/results/echo.svg. Needs a C compiler and two cores; takes about six minutes.
"""

import argparse
import tempfile
from pathlib import Path

from bench.echo import balance, capacity
from bench.echo.throughput import WORKLOADS, Results, Sample, measure, median
from bench.report import write_bars, write_json

LIMIT, OURS = "epoll in C", "bellbuoy"

CPU_TARGETS = {WORKLOADS[0]: 1.22, WORKLOADS[1]: 1.40}
"""CPU a message, as a multiple of the bare epoll loop's."""

THROUGHPUT_TARGETS = {WORKLOADS[2]: 0.75}
"""MiB a second, as a share of the bare epoll loop's."""

CAPACITY_TARGETS = {
    "bytes per idle connection": "<= 2,048",
    "accepted a second": ">= 10,000",
    "idle CPU, % of a core": "< 0.5",
    "burst: listen overflows": "0",
    "crowd: served": "15,000",
    "crowd: lost": "0",
}

BALANCE_TARGETS = {
    "CPU a message, two workers over one": "<= 1.10",
    "share of the busier worker": "<= 0.60",
}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        build = Path(folder)
        throughput = measure(build, options.rounds, options.seconds)
        show_throughput(throughput)
        crowds = capacity.measure(build)
        show("Many connections", crowds, CAPACITY_TARGETS)
        workers = {OURS: balance.measure(build, options.seconds)}
        show("Two workers", workers, BALANCE_TARGETS)
    rows = {str(workload): table(samples) for workload, samples in throughput.items()}
    results = {"throughput": rows, "capacity": crowds, "balance": workers}
    write_json("echo", "make bench-echo", results)
    write_bars(
        "echo",
        "Echo: server CPU time a message, in microseconds (less is better)",
        {
            heading: [(name, figures["cpu_us"]) for name, figures in rows[heading].items()]
            for heading in rows
        },
    )


def table(samples: dict[str, list[Sample]]) -> dict[str, dict[str, float]]:
    """Return the medians of one workload by contestant."""
    fields = ("cpu_us", "messages_per_second", "mib_per_second", "p99_us")
    return {
        name: {field: round(median(each, field), 3) for field in fields}
        for name, each in samples.items()
    }


def show_throughput(results: Results) -> None:
    """Print a table for each workload."""
    for workload, samples in results.items():
        print(f"\n{workload}")
        print(f"  {'':22}{'CPU us':>9}{'x epoll':>9}{'msg/s':>11}{'MiB/s':>9}{'p99 us':>10}")
        limit = median(samples[LIMIT], "cpu_us")
        for name, figures in table(samples).items():
            print(
                f"  {name:22}{figures['cpu_us']:9.2f}{figures['cpu_us'] / limit:9.2f}"
                f"{figures['messages_per_second']:11,.0f}{figures['mib_per_second']:9,.0f}"
                f"{figures['p99_us']:10,.0f}"
            )
        if workload in CPU_TARGETS:
            print(f"  target: CPU <= {CPU_TARGETS[workload]} x epoll, <= Go, <= half of tutorial")
        if workload in THROUGHPUT_TARGETS:
            share = median(samples[OURS], "mib_per_second") / median(
                samples[LIMIT], "mib_per_second"
            )
            print(f"  MiB/s {share:.2f} x epoll; target >= {THROUGHPUT_TARGETS[workload]}")


def show(title: str, figures: dict[str, dict[str, float]], targets: dict[str, str]) -> None:
    """Print figures by contestant, the target beside them."""
    print(f"\n{title}")
    for name in next(iter(figures.values())):
        values = "".join(f"{each.get(name, float('nan')):>14,.2f}" for each in figures.values())
        print(f"  {name:42}{values}   {targets.get(name, '')}")
    print(f"  {'':42}" + "".join(f"{name[:13]:>14}" for name in figures))


if __name__ == "__main__":
    main()
