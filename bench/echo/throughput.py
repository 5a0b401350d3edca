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
    """Put one server under load once; how connections come and go is not measured."""
    parts = [load, "127.0.0.1", server.port, workload.connections, workload.size, workload.depth]
    command = ["taskset", "-c", str(LOAD_CORE), *map(str, parts), str(seconds), "step"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:  # noqa: S603
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        before = cpu_seconds(server.pid)
        process.stdin.write("\n")
        process.stdin.flush()
        output = process.stdout.readline()
        used = cpu_seconds(server.pid) - before
        process.stdin.close()
    assert process.returncode == 0
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
