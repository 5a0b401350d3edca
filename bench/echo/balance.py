"""Two workers on one listener: what the second costs, and how evenly they share."""

import socket
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from bench.echo.contestants import Contestant, Running, bellbuoy, compile_c, running
from bench.echo.cost import tree
from bench.echo.rounds import Figures, Rounds, gather
from bench.echo.throughput import WORKLOADS, sample

ARRIVALS = 1000
PACE = 0.002
"""Seconds between two arrivals."""


def measure(build: Path, rounds: int, seconds: float) -> Rounds:
    """Return the figures of one worker beside two."""
    load = compile_c("load", build)
    with running(_ours(1), 0) as one, running(_ours(2), 0) as two:
        return gather([_round(load, one, two, seconds) for _ in range(rounds)])


def _round(load: str, one: Running, two: Running, seconds: float) -> Figures:
    single, double = (sample(load, each, WORKLOADS[0], seconds).cpu_us for each in (one, two))
    time.sleep(1)  # until those that were measured are gone
    return {
        "CPU a message, one worker, us": single,
        "CPU a message, two workers, us": double,
        "CPU a message, two workers over one": double / single,
        "share of the busier worker": busier_share(two),
    }


def busier_share(server: Running) -> float:
    """Let :data:`ARRIVALS` connections come one after the other; return the busier's share."""
    before = {pid: sockets(pid) for pid in tree(server.pid)[1:]}
    with ExitStack() as arrived:
        for _ in range(ARRIVALS):
            arrived.enter_context(socket.create_connection(("127.0.0.1", server.port), 5))
            time.sleep(PACE)
        held = [sockets(pid) - before[pid] for pid in before]
    return max(held) / sum(held)


def sockets(pid: int) -> int:
    """Return how many sockets a process holds."""
    links = (link.readlink() for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink())
    return sum(str(link).startswith("socket:") for link in links)


def _ours(workers: int) -> Contestant:
    return Contestant("bellbuoy", (sys.executable, "-m", "echo"), bellbuoy(workers))
