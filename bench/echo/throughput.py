"""CPU a message and throughput: every contestant under every workload, alternating."""

import json
import statistics
import subprocess
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.echo.contestants import Running, compile_c, contestants, running
from bench.echo.cost import cpu_seconds

SERVER_CORE, LOAD_CORE = 0, 1


@dataclass(frozen=True)
class Workload:
    """Connections that keep ``depth`` messages of ``size`` bytes in flight each."""

    connections: int
    size: int
    depth: int

    def __str__(self) -> str:
        return f"{self.connections} x {self.size} B x {self.depth} in flight"


@dataclass(frozen=True)
class Sample:
    """One round of one contestant.

    Args:
        cpu_us: Server CPU time a message, in microseconds.
        messages_per_second: Completed round trips.
        mib_per_second: Payload, one way.
        p99_us: 99th percentile of the round trip, in microseconds.
    """

    cpu_us: float
    messages_per_second: float
    mib_per_second: float
    p99_us: float


WORKLOADS = (Workload(50, 1024, 1), Workload(1000, 128, 1), Workload(20, 16_384, 4))

Results = dict[Workload, dict[str, list[Sample]]]


def measure(build: Path, rounds: int, seconds: float) -> Results:
    """Run every contestant ``rounds`` times under every workload, for ``seconds`` each.

    All of them run all the time, one of them under load: whatever else the machine does hits
    all alike.
    """
    load = compile_c("load", build)
    results: Results = {workload: defaultdict(list) for workload in WORKLOADS}
    with ExitStack() as stack:
        everyone = [stack.enter_context(running(each, SERVER_CORE)) for each in contestants(build)]
        for workload in WORKLOADS:
            for _ in range(rounds):
                for each in everyone:
                    results[workload][each.contestant.name].append(
                        sample(load, each, workload, seconds)
                    )
    return results


def sample(load: str, server: Running, workload: Workload, seconds: float) -> Sample:
    """Put one server under load once."""
    before = cpu_seconds(server.pid)
    command = [load, "127.0.0.1", server.port, workload.connections, workload.size, workload.depth]
    output = subprocess.run(  # noqa: S603
        ["taskset", "-c", str(LOAD_CORE), *map(str, command), str(seconds)],  # noqa: S607
        check=True,
        capture_output=True,
    ).stdout
    used = cpu_seconds(server.pid) - before
    seen = json.loads(output)
    return Sample(
        cpu_us=used / seen["messages"] * 1e6,
        messages_per_second=seen["messages_per_second"],
        mib_per_second=seen["mib_per_second"],
        p99_us=seen["p99_us"],
    )


def median(samples: list[Sample], field: str) -> float:
    """Return the median of one field."""
    return float(statistics.median(getattr(each, field) for each in samples))
