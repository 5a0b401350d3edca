"""What a container costs while nobody asks: memory and CPU of each of its processes."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.api.contestants import ours
from bench.api.measurement import SERVER_CORE
from bench.api.memory import MIB, alone, resident
from bench.api.postgres import Postgres
from bench.echo.contestants import Contestant, Running, bellbuoy, running
from bench.echo.cost import proportional_memory, tree

SETTLE_SECONDS = 3.0
WATCHED_SECONDS = 10.0


def measure(folder: Path, postgres: Postgres) -> dict[str, dict[str, float]]:
    """Return the figures of both services, each with one worker."""
    echo = Contestant("echo", (sys.executable, "-m", "echo"), bellbuoy())
    with _settled(ours(folder, postgres).contestant) as api, _settled(echo) as other:
        return {"api": _watch(api), "echo": _watch(other)}


@contextmanager
def _settled(contestant: Contestant) -> Iterator[Running]:
    with running(contestant, SERVER_CORE) as server:
        time.sleep(SETTLE_SECONDS)  # its first flushes, and the connection that asks for the schema
        yield server


def _watch(server: Running) -> dict[str, float]:
    pids = tree(server.pid)
    before = {pid: alone(pid) for pid in pids}
    time.sleep(WATCHED_SECONDS)
    shares = [(alone(pid) - before[pid]) / WATCHED_SECONDS * 100 for pid in pids]
    sizes = [resident(pid) / MIB for pid in pids]
    assert len(pids) == 3, "a supervisor, a worker and an admin process"  # noqa: PLR2004
    return {
        "supervisor RSS, MiB": round(sizes[0], 1),
        "largest other RSS, MiB": round(max(sizes[1:]), 1),
        "container PSS, MiB": round(proportional_memory(server.pid) / MIB, 1),
        "idle CPU, % of a core": round(sum(shares), 3),
        "idle CPU of the busiest process, % of a core": round(max(shares), 3),
    }
