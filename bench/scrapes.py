"""How fast /metrics answers while both services are at full load, and whether it grows.

make bench BENCH=scrapes

The whole stack runs as `make run` starts it, in a folder of its own. Echo is loaded by a client in
C, the api by wrk, with more than every core can do; then workers are killed again and again. What a
scrape takes is waiting for a core, too; its processor time, the page's recorder included, is not.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.echo.contestants import compile_c, free_port
from bench.probes import ask
from bench.report import write_json

REQUESTS = 400
GENERATIONS = 4
TARGET = 20.0
"""Milliseconds of the 99th percentile."""

GROWTH = 1.5
"""Times as much processor time and as many samples as before are no growth: the first scrapes come
before every route has its series, and the kernel counts processor time in ticks."""

SECONDS = 60
"""Of load; the measuring takes a few."""

SERVICES = ("echo", "api")


def main() -> None:
    """Measure, print and write bench/results/scrapes.json."""
    ports = {name: free_port() for name in (*SERVICES, "echo_admin", "api_admin")}
    results: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder, stack(Path(folder), ports):
        load = compile_c("load", Path(folder))
        results["just started"] = measure(ports)
        with at_full_load(load, ports):
            results["both at full load"] = measure(ports)
        results["after the load"] = measure(ports)
        for _ in range(GENERATIONS):
            replace_worker(ports["echo_admin"])
        results[f"after {GENERATIONS} generations"] = measure(ports)
    judged = verdicts(results)
    show(results, judged)
    write_json("scrapes", "make bench BENCH=scrapes", {**results, "targets": judged})


@contextmanager
def stack(folder: Path, ports: dict[str, int]) -> Iterator[int]:
    """Run everything until the block ends; yield the process id of what started it."""
    settings = {f"BUOY_{name.upper()}_PORT": str(port) for name, port in ports.items()}
    environ = {**os.environ, **settings, "BUOY_DATA_DIR": str(folder / "data")}
    with (folder / "log").open("w") as log:
        command = [sys.executable, "-m", "onebox"]
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)  # noqa: S603
        try:
            await_(lambda: is_up(process, ports))
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def is_up(process: subprocess.Popen[bytes], ports: dict[str, int]) -> bool:
    """Return whether both services are ready."""
    assert process.poll() is None, "the stack ended before it was ready"
    return all(ask(ports[f"{name}_admin"], "/readyz") == 200 for name in SERVICES)  # noqa: PLR2004


@contextmanager
def at_full_load(load: str, ports: dict[str, int]) -> Iterator[None]:
    """Keep both services and every core busy."""
    commands = (
        [load, "127.0.0.1", str(ports["echo"]), "200", "1024", "4", str(SECONDS)],
        ["wrk", "-t1", "-c50", f"-d{SECONDS}s", f"http://127.0.0.1:{ports['api']}/"],
    )
    generators = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603
        for command in commands
    ]
    time.sleep(1)
    try:
        yield
        assert all(each.poll() is None for each in generators), "the load ended before its time"
    finally:
        for each in generators:
            each.terminate()
            each.wait()


def measure(ports: dict[str, int]) -> dict[str, dict[str, float]]:
    """Return percentiles in milliseconds for each service, with the samples of one scrape."""
    return {name: scrape(ports[f"{name}_admin"]) for name in SERVICES}


def scrape(port: int) -> dict[str, float]:
    """Scrape again and again, each time on a new connection."""
    took, used = [], cpu_seconds(port)
    for _ in range(REQUESTS):
        began = time.perf_counter()
        assert ask(port, "/metrics") == 200  # noqa: PLR2004
        took.append((time.perf_counter() - began) * 1e3)
    used = cpu_seconds(port) - used
    centiles = statistics.quantiles(took, n=100)
    lines = fetch(port, "/metrics").splitlines()
    return {
        "p50_ms": round(centiles[49], 2),
        "p99_ms": round(centiles[98], 2),
        "max_ms": round(max(took), 2),
        "cpu_ms": round(used / REQUESTS * 1e3, 2),
        "samples": sum(not line.startswith("#") for line in lines),
    }


def cpu_seconds(port: int) -> float:
    """Return the processor time of the admin process, which other processes cannot stretch."""
    words = 'process_cpu_seconds_total{process="admin"} '
    lines = fetch(port, "/metrics").splitlines()
    return next(float(line.removeprefix(words)) for line in lines if line.startswith(words))


def replace_worker(port: int) -> None:
    """Kill a worker, and wait until there is another."""
    before = workers(port)
    victim = min(before)

    def is_replaced() -> bool:
        now = workers(port)  # once: between two looks a dead one may go, and none be there yet
        return len(now) == len(before) and victim not in now

    os.kill(victim, signal.SIGKILL)
    await_(is_replaced)


def workers(port: int) -> set[int]:
    """Return the pids of the workers that are ready."""
    found = json.loads(fetch(port, "/tasks"))["workers"]
    return {worker["pid"] for worker in found if worker["state"] == "ready"}


def fetch(port: int, path: str) -> str:
    """Return what the admin port answers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return str(answer.read().decode())


def await_(condition: Callable[[], bool]) -> None:
    """Wait until it is true, for two minutes at most."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with suppress(OSError):
            if condition():
                return
        time.sleep(0.1)
    raise TimeoutError("the stack does not get ready")


def show(results: dict[str, dict[str, dict[str, float]]], judged: list[dict[str, object]]) -> None:
    """Print the table and whether each target is met."""
    print(
        f"{'/metrics':24}{'':6}{'samples':>9}{'p50 ms':>9}{'p99 ms':>9}{'max ms':>9}{'cpu ms':>9}"
    )
    for condition, services in results.items():
        for name, row in services.items():
            print(
                f"{condition:24}{name:6}{row['samples']:9.0f}"
                f"{row['p50_ms']:9.2f}{row['p99_ms']:9.2f}{row['max_ms']:9.2f}{row['cpu_ms']:9.2f}"
            )
    for each in judged:
        met = "met" if each["met"] else "MISSED"
        print(f"{met:7} {each['what']}: {each['figure']}, target {each['target']}")


def verdicts(results: dict[str, dict[str, dict[str, float]]]) -> list[dict[str, object]]:
    """Return each clause of what is promised, and whether it is kept."""
    return [
        {"what": what, "figure": found, "target": f"<= {most:g}", "met": found <= most}
        for what, found, most in clauses(results)
    ]


def clauses(results: dict[str, dict[str, dict[str, float]]]) -> Iterator[tuple[str, float, float]]:
    """Yield each clause of what is promised: its words, the figure and the target."""
    first, loaded, after, later = results.values()
    yield (
        "p99 with both services at full load, ms",
        max(row["p99_ms"] for row in loaded.values()),
        TARGET,
    )
    spans = {
        "traffic": (first, after),
        "worker generations": (after, later),
        "uptime": (first, later),
    }
    for cause, (before, now) in spans.items():
        for figure in ("cpu_ms", "samples"):
            grown = max(now[name][figure] / before[name][figure] for name in SERVICES)
            yield f"growth with {cause}, {figure}", round(grown, 2), GROWTH


if __name__ == "__main__":
    main()
