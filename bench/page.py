"""How soon the status page says what is wrong: a killed worker, a killed PostgreSQL.

    make bench BENCH=page ARGS=10

The whole stack runs as `make run` starts it, in a folder of its own, and its pages are open in
Debian's Chromium. In each round a worker of echo is killed, then PostgreSQL; measured are the
seconds from the kill until the page says so in words. PostgreSQL's supervisor is stopped meanwhile:
it would have it up again within the second. ARGS is the number of rounds. Needs chromium and
Playwright.
"""

import functools
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from bench.echo.contestants import free_port
from bench.report import write_json
from bench.scrapes import SERVICES, await_, stack, workers

ROUNDS = 5
TARGET = 2.0
"""Seconds: a killed worker shows within 2 s, an outage of PostgreSQL shows within 2 s."""

PATIENCE = 30_000
"""Milliseconds until it counts as never."""

WELL = "All is well"
FAULTS = {
    "a killed worker": "A worker died: killed by a signal",
    "a killed PostgreSQL": "PostgreSQL does not answer",
}

CHROMIUM = "/usr/bin/chromium"

Row = dict[str, float]


def main() -> None:
    """Measure, print and write bench/results/page.json."""
    rounds = int(sys.argv[1]) if sys.argv[1:] else ROUNDS
    ports = {name: free_port() for name in (*SERVICES, "echo_admin", "api_admin")}
    took: dict[str, list[float]] = {fault: [] for fault in FAULTS}
    with (
        tempfile.TemporaryDirectory() as folder,
        stack(Path(folder), ports) as onebox,
        chromium() as browser,
    ):
        echo, api = (opened(browser, ports[f"{name}_admin"]) for name in SERVICES)
        kill = functools.partial(kill_worker, ports["echo_admin"])
        for _ in range(rounds):
            took["a killed worker"].append(seconds(echo, "a killed worker", kill))
            with without_supervisor(onebox):
                postgres = functools.partial(kill_postgres, Path(folder) / "data")
                took["a killed PostgreSQL"].append(seconds(api, "a killed PostgreSQL", postgres))
            says(api, WELL)
    results = {fault: summary(each) for fault, each in took.items()}
    show(results)
    write_json("page", f"make bench BENCH=page ARGS={rounds}", results)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser; as root it needs to be told that it may."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def opened(browser: Browser, port: int) -> Page:
    """Return a status page that says that all is well."""
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{port}/")
    says(page, WELL)
    return page


def says(page: Page, text: str) -> None:
    """Wait until the page's verdict is this; it is looked at whenever the page is drawn."""
    page.wait_for_function(
        "text => document.getElementById('what').textContent.includes(text)",
        arg=text,
        timeout=PATIENCE,
    )


def seconds(page: Page, fault: str, make: Callable[[], None]) -> float:
    """Return how long after a fault the page says so; what it said before has to be over."""
    says(page, WELL)
    began = time.perf_counter()
    make()
    says(page, FAULTS[fault])
    return time.perf_counter() - began


def kill_worker(port: int) -> None:
    """Kill the oldest worker that is ready."""
    await_(lambda: bool(workers(port)))
    psutil.Process(min(workers(port))).kill()


def kill_postgres(data: Path) -> None:
    """Kill the server that runs in the data directory."""
    pidfile = data / "postgres" / "postmaster.pid"
    server = psutil.Process(int(pidfile.read_text().split()[0]))
    assert "postgres" in server.name()
    server.kill()


@contextmanager
def without_supervisor(pid: int) -> Iterator[None]:
    """Stop who would start PostgreSQL again, until the block ends."""
    supervisor = psutil.Process(pid)
    supervisor.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        supervisor.send_signal(signal.SIGCONT)


def summary(took: list[float]) -> Row:
    """Return the figures of one fault, in seconds."""
    return {
        "rounds": len(took),
        "median_s": round(statistics.median(took), 2),
        "max_s": round(max(took), 2),
        "target_s": TARGET,
        "met": max(took) <= TARGET,
    }


def show(results: dict[str, Row]) -> None:
    """Print the table."""
    print(f"{'the page says':24}{'rounds':>8}{'median s':>10}{'max s':>8}{'target':>10}")
    for fault, row in results.items():
        met = "met" if row["met"] else "MISSED"
        print(
            f"{fault:24}{row['rounds']:8.0f}{row['median_s']:10.2f}{row['max_s']:8.2f}"
            f"{'<= ' + format(row['target_s'], 'g') + ' s':>10}  {met}"
        )


if __name__ == "__main__":
    main()
