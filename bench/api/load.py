"""The load: wrk with one thread on a core of its own, and what it saw."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("wrk.lua")
LOAD_CORE = 1


@dataclass(frozen=True)
class Seen:
    """What one run of wrk saw.

    Args:
        requests: Answers that came.
        seconds: How long it ran.
        p50_us: Median latency, in microseconds.
        p99_us: 99th percentile.
        broken: Connections or requests that failed or took more than two seconds.
        refused: Answers with a status of 400 or above.
    """

    requests: int
    seconds: float
    p50_us: int
    p99_us: int
    broken: int
    refused: int

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds


def generate(
    port: int, what: tuple[str, str], connections: int, seconds: float, headers: Mapping[str, str]
) -> Seen:
    """Load a server for ``seconds`` over ``connections`` that stay open.

    Args:
        port: On 127.0.0.1.
        what: The script's arguments.
        connections: Each has one request in flight.
        seconds: Rounded to whole ones, at least one: wrk takes no others.
        headers: Sent with every request.

    Raises:
        AssertionError: A request failed or was refused, so the figures would mean nothing.
    """
    named = [part for item in headers.items() for part in ("-H", ": ".join(item))]
    size = ["-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s"]
    output = subprocess.run(  # noqa: S603
        [
            *("taskset", "-c", str(LOAD_CORE), program(), *size, "-s", str(SCRIPT), *named),
            *(f"http://127.0.0.1:{port}", "--", *what),
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=seconds + 30,
    ).stdout
    seen = parse(output)
    assert seen.requests > 0, output
    assert (seen.broken, seen.refused) == (0, 0), output
    return seen


def parse(output: str) -> Seen:
    """Return what the script printed last; wrk's own report stands before it."""
    return Seen(**json.loads(output.splitlines()[-1]))


def program() -> str:
    """Return wrk's path.

    Raises:
        SystemExit: There is none; the message says where it comes from.
    """
    if found := shutil.which("wrk"):
        return found
    raise SystemExit(
        "bench.api needs wrk, the load generator. On Debian and Ubuntu: apt install wrk"
    )
