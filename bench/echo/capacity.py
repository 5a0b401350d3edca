"""Many connections: what an idle one costs, how fast they come in, how they spread."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.echo.contestants import HERE, Contestant, Running, bellbuoy, compile_c, running
from bench.echo.cost import cpu_seconds, proportional_memory
from bench.echo.rounds import Figures, Judgement, Rounds, alternate
from bench.echo.throughput import Workload, sample

IDLE = 9000
MORE = 1000
"""With those, the ten thousand of which CPU is measured."""

CROWD = 15_000
BURST = 5000
WATCHED_SECONDS = 5.0
PING = Workload(1, 1, 1)

WORST: dict[str, Judgement] = {
    "burst: lost": max,
    "burst: listen overflows": max,
    "crowd: served": min,
    "crowd: lost": max,
}
"""Promises to everybody: no round may break them."""


@dataclass(frozen=True)
class Opening:
    """What a crowd saw: connections served and lost, and how long the answers took."""

    served: int
    lost: int
    seconds: float
    p50_us: float
    p99_us: float

    @property
    def rate(self) -> float:
        """Connections opened and served a second."""
        return self.served / self.seconds


class Crowd:
    """Connections that are held open by a generator of their own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        """Wait until all of them were opened."""
        self._process = process
        self.opening = self._read()

    def again(self) -> Opening:
        """Send on every connection again."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Opening:
        assert self._process.stdout is not None
        return Opening(**json.loads(self._process.stdout.readline()))


@contextmanager
def crowd(program: str, server: Running, connections: int, at_once: int) -> Iterator[Crowd]:
    """Hold ``connections`` to a server until the block ends."""
    command = [program, "127.0.0.1", str(server.port), str(connections), str(at_once)]
    with subprocess.Popen(  # noqa: S603
        ["taskset", "-c", "1", *command],  # noqa: S607
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Crowd(process)
        assert process.stdin is not None
        process.stdin.close()
    assert process.returncode == 0


def measure(build: Path, rounds: int) -> dict[str, Rounds]:
    """Measure our service and a bare protocol in turns, started anew for each round."""
    program, load = compile_c("crowd", build), compile_c("load", build)
    bare = Contestant("bare uvloop protocol", (sys.executable, str(HERE / "protocol.py")), {})
    ours = Contestant("bellbuoy", (sys.executable, "-m", "echo"), bellbuoy())
    turns = {each.name: partial(_measure, program, load, each) for each in (ours, bare)}
    return alternate(turns, rounds)


def _measure(program: str, load: str, contestant: Contestant) -> Figures:
    figures: Figures = {}
    with running(contestant, 0) as server:
        # Warm: pages that every forked process copies sooner or later are no connection's.
        with crowd(program, server, 1000, 500):
            pass
        time.sleep(1)
        alone = watched(server.pid)
        before = proportional_memory(server.pid)
        with crowd(program, server, IDLE, 500) as idle:
            grown = proportional_memory(server.pid) - before
            figures["bytes per idle connection"] = grown / IDLE
            figures["accepted a second"] = idle.opening.rate
            with crowd(program, server, MORE, 500):
                time.sleep(1)
                together = watched(server.pid)
                figures["10,000 idle, % of a core"] = together - alone
                figures["the whole service with them, % of a core"] = together
                figures["1 byte beside them, p99 us"] = sample(load, server, PING, 2.0).p99_us
        time.sleep(1)
        overflows = listen_overflows()
        with crowd(program, server, BURST, BURST) as burst:
            figures["burst: lost"] = burst.opening.lost
            figures["burst: listen overflows"] = listen_overflows() - overflows
            figures["burst: p99 ms"] = burst.opening.p99_us / 1e3
        time.sleep(1)
        with crowd(program, server, CROWD, 500) as all_of_them:
            # All of them are there; then each is served once more.
            round_ = all_of_them.again()
            figures["crowd: served"] = round_.served
            figures["crowd: lost"] = round_.lost
            figures["crowd: p99 ms of one round over all"] = round_.p99_us / 1e3
    return figures


def watched(pid: int) -> float:
    """Return how much of a core a process tree uses while nothing happens, in percent."""
    used = cpu_seconds(pid)
    time.sleep(WATCHED_SECONDS)
    return (cpu_seconds(pid) - used) / WATCHED_SECONDS * 100


def listen_overflows() -> int:
    """Return how often the kernel has dropped a connection because a queue was full."""
    lines = [
        line.split()
        for line in Path("/proc/net/netstat").read_text().splitlines()
        if line.startswith("TcpExt:")
    ]
    return int(dict(zip(*lines, strict=True))["ListenOverflows"])
