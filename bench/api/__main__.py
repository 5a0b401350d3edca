"""The api beside its peers.

make bench-api

Prints the tables with the targets beside the figures, writes bench/results/api.json and
bench/results/api.svg. The servers share one core, of which one server at a time is under load;
wrk, PostgreSQL and this script share the other. So requests a second are what a pair of cores
gives, and the CPU time a request of the server's whole process tree is the steady figure.
"""

import argparse
import os
import tempfile
from pathlib import Path

from bench.api import load, postgres
from bench.api.measurement import Results, arena, measure
from bench.api.scenarios import SCENARIOS
from bench.api.targets import judge
from bench.report import write_bars, write_json


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m bench.api", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="length of a round")
    parser.add_argument("--only", default="", help="scenarios whose names begin so; writes nothing")
    options = parser.parse_args()
    load.program()
    # PostgreSQL and everything else that is not pinned inherits this.
    os.sched_setaffinity(0, {load.LOAD_CORE})
    chosen = [each for each in SCENARIOS if each.name.startswith(options.only)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with postgres.serve(folder) as database:
            durability = database.durability()
            with arena(folder, database) as place:
                results = measure(place, options.rounds, options.seconds, chosen)
    show(results)
    if not options.only:
        write(results, durability, options.rounds, options.seconds)


def write(results: Results, durability: dict[str, str], rounds: int, seconds: float) -> None:
    """Write the figures and the chart."""
    record = {
        "rounds": rounds,
        "seconds_per_round": seconds,
        "durability": durability,
        "scenarios": results,
        "targets": judge(results),
    }
    write_json("api", "make bench-api", record)
    write_bars(
        "api",
        "Requests a second, one core for the server (more is better)",
        {
            scenario: [(name, row["per_second"]) for name, row in rows.items()]
            for scenario, rows in results.items()
        },
    )


def show(results: Results) -> None:
    """Print a table for each scenario, then the targets."""
    for scenario, rows in results.items():
        print(f"\n{scenario}")
        columns = ("CPU us", "DB us", "req/s", "p50 ms", "p99 ms")
        print(f"  {'':28}" + "".join(f"{column:>10}" for column in columns))
        for name, row in rows.items():
            print(
                f"  {name:28}{row['cpu_us']:10.1f}{row['database_cpu_us']:10.1f}"
                f"{row['per_second']:10,.0f}{row['p50_ms']:10.2f}{row['p99_ms']:10.2f}"
            )
    print("\nTargets: bellbuoy over another")
    for each in judge(results):
        verdict = "met" if each["met"] else "NOT MET"
        print(
            f"  {each['scenario']:28}{each['figure']:12}over {each['over']:22}"
            f"{each['ratio']:>7.2f}  target {each['target']:8}{verdict}"
        )


if __name__ == "__main__":
    main()
