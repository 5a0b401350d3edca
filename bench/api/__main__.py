"""The api beside its peers, and what it costs.

make bench-api                  speed and idle cost: bench/results/api.json, api.md and api.svg
make bench-api ARGS=memory      memory over ten minutes of full load: bench/results/api-memory.json

Prints the tables with the targets beside the figures. The servers share one core, of which one
server at a time is under load; wrk, PostgreSQL and this script share the other. So requests a
second are what a pair of cores gives, and the CPU time a request of the server's whole process
tree is the steady figure.
"""

import argparse
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from bench.api import idle, load, memory, postgres
from bench.api.contestants import OURS
from bench.api.measurement import Results, arena, measure
from bench.api.postgres import Postgres
from bench.api.scenarios import SCENARIOS
from bench.api.targets import TARGETS, judge
from bench.report import Tables, write_bars, write_json, write_tables


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m bench.api", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("speed", "memory"), default="speed")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="length of a round")
    parser.add_argument("--only", default="", help="scenarios whose names begin so; writes nothing")
    parser.add_argument("--minutes", type=float, default=10.0, help="of load, for memory")
    options = parser.parse_args()
    load.program()
    # PostgreSQL and everything else that is not pinned inherits this.
    os.sched_setaffinity(0, {load.LOAD_CORE})
    with tempfile.TemporaryDirectory() as name, postgres.serve(Path(name)) as database:
        if options.what == "memory":
            watch_memory(Path(name), database, options.minutes)
        else:
            compare(Path(name), database, options)


def compare(folder: Path, database: Postgres, options: argparse.Namespace) -> None:
    """Measure speed and idle cost."""
    chosen = [each for each in SCENARIOS if each.name.startswith(options.only)]
    durability = database.durability()
    with arena(folder, database) as place:
        results = measure(place, options.rounds, options.seconds, chosen)
    show(results)
    if options.only:
        return
    costs = idle.measure(folder, database)
    show_figures("Idle, one worker", costs)
    record = {
        "rounds": options.rounds,
        "seconds_per_round": options.seconds,
        "durability": durability,
        "scenarios": results,
        "targets": judge(results),
        "idle": costs,
    }
    command = f'make bench-api ARGS="--rounds {options.rounds} --seconds {options.seconds}"'
    write_json("api", command, record)
    write_tables("api", command, tables(results, costs))
    write_bars(
        "api",
        "Requests a second, one core for the server (more is better)",
        {
            scenario: [(name, row["per_second"]) for name, row in rows.items()]
            for scenario, rows in results.items()
        },
    )


def tables(results: Results, costs: Mapping[str, Mapping[str, float]]) -> Tables:
    """Return the figures as tables by heading, the targets among them."""
    columns = ("", "CPU, µs a request", "requests/s", "p50, ms", "p99, ms")
    found: Tables = {
        scenario: [
            columns,
            *(
                (
                    name,
                    f"{row['cpu_us']:.1f}",
                    f"{row['per_second']:,.0f}",
                    f"{row['p50_ms']:.2f}",
                    f"{row['p99_ms']:.2f}",
                )
                for name, row in rows.items()
            ),
        ]
        for scenario, rows in results.items()
    }
    found["Targets: bellbuoy over another"] = [
        ("scenario", "figure", "over", "ratio", "target", ""),
        *(
            (
                *(str(each[key]) for key in ("scenario", "figure", "over", "ratio", "target")),
                "met" if each["met"] else "NOT MET",
            )
            for each in judge(results)
        ),
    ]
    names = next(iter(costs.values()))
    found["Idle, one worker"] = [
        ("", *costs),
        *((name, *(f"{each[name]:,.2f}" for each in costs.values())) for name in names),
    ]
    return found


def watch_memory(folder: Path, database: Postgres, minutes: float) -> None:
    """Measure memory under load."""
    with arena(folder, database, (OURS,)) as place:
        figures, moments = memory.measure(place, minutes)
    verdicts = memory.judge(figures)
    show_figures("Memory under full load", {OURS: figures})
    for each in verdicts:
        met = "met" if each["met"] else "MISSED"
        print(f"  {each['what']}: {each['figure']} ({each['target']}: {met})")
    record = {
        OURS: figures,
        "targets": verdicts,
        "moments": [asdict(moment) for moment in moments],
    }
    write_json("api-memory", "make bench-api ARGS=memory", record)


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
    chosen = [target for target in TARGETS if target.scenario in results]
    for each in judge(results, chosen):
        verdict = "met" if each["met"] else "NOT MET"
        print(
            f"  {each['scenario']:28}{each['figure']:12}over {each['over']:22}"
            f"{each['ratio']:>13}  target {each['target']:8}{verdict}"
        )


def show_figures(title: str, figures: Mapping[str, Mapping[str, float]]) -> None:
    """Print figures by name."""
    print(f"\n{title}")
    print(f"  {'':48}" + "".join(f"{name:>12}" for name in figures))
    for name in next(iter(figures.values())):
        values = "".join(f"{each[name]:>12,.2f}" for each in figures.values())
        print(f"  {name:48}{values}")


if __name__ == "__main__":
    main()
