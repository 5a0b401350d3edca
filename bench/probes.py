"""How fast the admin port answers: idle, with every core saturated, with every worker stopped.

make bench BENCH=probes
"""

import contextlib
import http.client
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from bench.echo.contestants import Contestant, bellbuoy, compile_c, free_port, running
from bench.echo.cost import tree
from bench.report import write_json

REQUESTS = 300
PATHS = ("/livez", "/readyz", "/metrics")
WORKERS = os.cpu_count() or 1


def main() -> None:
    """Measure, print the table, write bench/results/probes.json."""
    admin = free_port()
    environment = {**bellbuoy(WORKERS), "BUOY_ECHO_ADMIN_PORT": str(admin)}
    ours = Contestant("bellbuoy", (sys.executable, "-m", "echo"), environment)
    results: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as build, running(ours, None) as server:
        load = compile_c("load", Path(build))
        conditions: dict[str, AbstractContextManager[None]] = {
            "idle": contextlib.nullcontext(),
            "every core saturated": saturated(load, server.port),
            "every worker stopped": stopped(server.pid, admin),
        }
        for name, condition in conditions.items():
            with condition:
                results[name] = {path: measure(admin, path) for path in PATHS}
    show(results)
    write_json("probes", "make bench BENCH=probes", results)


def measure(port: int, path: str) -> dict[str, float]:
    """Ask ``path`` again and again on new connections; return percentiles in milliseconds."""
    took, status = [], 0
    for _ in range(REQUESTS):
        began = time.perf_counter()
        status = ask(port, path)
        took.append((time.perf_counter() - began) * 1e3)
    centiles = statistics.quantiles(took, n=100)
    return {"p50_ms": centiles[49], "p99_ms": centiles[98], "max_ms": max(took), "status": status}


def ask(port: int, path: str) -> int:
    """Return the status of one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


@contextmanager
def saturated(load: str, port: int) -> Iterator[None]:
    """Keep every worker and every core busy with echoing."""
    command = [load, "127.0.0.1", str(port), "200", "1024", "4", "60"]
    generators = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603
        for _ in range(WORKERS)
    ]
    time.sleep(1)
    try:
        yield
    finally:
        for generator in generators:
            generator.terminate()
            generator.wait()


@contextmanager
def stopped(supervisor: int, admin: int) -> Iterator[None]:
    """Stop every traffic worker, as a blocked loop would be, until the block ends."""
    workers = [pid for pid in tree(supervisor)[1:] if not listens(pid, admin)]
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(2.5)  # until readiness has noticed: a beat is fresh for two seconds
    try:
        yield
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)


def listens(pid: int, port: int) -> bool:
    """Return whether a process holds the listening socket of ``port``."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {row[9] for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == port}
    links = Path(f"/proc/{pid}/fd").iterdir()
    names = (str(link.readlink()) for link in links if link.is_symlink())
    return any(name[8:-1] in inodes for name in names if name.startswith("socket:["))


def show(results: dict[str, dict[str, dict[str, float]]]) -> None:
    """Print the table."""
    print(f"{'condition':24}{'path':12}{'status':>8}{'p50 ms':>10}{'p99 ms':>10}{'max ms':>10}")
    for condition, paths in results.items():
        for path, row in paths.items():
            print(
                f"{condition:24}{path:12}{row['status']:8.0f}"
                f"{row['p50_ms']:10.2f}{row['p99_ms']:10.2f}{row['max_ms']:10.2f}"
            )


if __name__ == "__main__":
    main()
