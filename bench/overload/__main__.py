"""Overload: routes driven at up to ten times what they can do, in an open loop.

::

    PYTHONPATH=services python -m bench.overload [SECONDS]

Two ways to have too little. The list of users waits for PostgreSQL: its answers take 15 ms on a
link of ours and the pool has five connections, so that is some 330 a second, and what is beyond
must be refused. The greeting needs nothing but CPU time and refuses nobody: its capacity is
measured first, and what is beyond waits in connections, whose number bounds it. So no more
greetings can be sent than are answered; the others that are due find no connection free, as behind
a proxy that opens no more than so many, and are counted as unsent. The server has one core, the
client and PostgreSQL the other, as in ``make bench-api``. SECONDS is for each of the levels; with
the 5 it has by default all takes about a minute. Writes ``bench/results/overload.json``.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path

import uvloop

from bench import report
from bench.api import contestants, postgres
from bench.api.memory import alone, resident
from bench.echo.contestants import running
from bench.echo.cost import tree
from bench.overload.crowd import Crowd, Tally, gathered
from bench.overload.link import DELAY, slow_link
from bench.overload.recovery import HEALED, recovery
from bench.overload.verdicts import CPU_BOUND, DATABASE_BOUND, LEVELS, MIB, Row, judge

SERVER_CORE, CLIENT_CORE = 0, 1
POOL = 5
CONNECTIONS = 1000
"""Of the crowd for users: refusals are quick, so there is always one free."""

GREETING_CONNECTIONS, PIPELINED = 256, 4
"""Of the crowd for greetings: as many as are allowed to wait, one core serves in a tenth of a
second."""

PROBES = 20
"""Greetings a second while users are asked for."""


class Subject:
    """The api under test.

    Args:
        port: Where it listens.
        token: The ``Authorization`` that it knows.
        pid: Its supervisor.
    """

    def __init__(self, port: int, token: str, pid: int) -> None:
        """Know nothing of its worker yet."""
        self._port = port
        self._head = f"Host: bench\r\nAuthorization: {token}\r\n\r\n"
        self._pid = pid

    def crowd(
        self, path: str, connections: int, pipelined: int = 1
    ) -> AbstractAsyncContextManager[Crowd]:
        """Gather clients that ask for ``path``."""
        request = f"GET {path} HTTP/1.1\r\n{self._head}".encode()
        return gathered(self._port, request, connections, pipelined)

    def memory(self) -> float:
        """Return the MiB of the process that has worked most so far."""
        return resident(max(tree(self._pid), key=alone)) / MIB


async def most(subject: Subject, run: "asyncio.Task[Tally]") -> float:
    """Return the most memory that the worker has until ``run`` is done."""
    highest = subject.memory()
    while not run.done():
        await asyncio.wait([run], timeout=0.25)
        highest = max(highest, subject.memory())
    return round(highest, 1)


async def level(
    subject: Subject, crowd: Crowd, probe: Crowd | None, load: tuple[float, int, float]
) -> Row:
    """Drive ``crowd`` at a level, which is a capacity, how many times, and seconds."""
    capacity, times, seconds = load
    run = asyncio.ensure_future(crowd.drive(capacity * times, seconds))
    probing = asyncio.ensure_future(probe.drive(PROBES, seconds)) if probe else None
    memory = await most(subject, run)
    tally = await run
    greeted = await probing if probing else None
    return Row(
        times=times,
        due=round(capacity * times),
        sent=round(tally.sent / tally.lasted),
        unsent=round(tally.unsent / tally.lasted),
        goodput=round(tally.in_time / seconds, 1),
        p50_ms=tally.milliseconds(200, 0.5),
        p99_ms=tally.milliseconds(200, 0.99),
        refused=round(tally.count(503) / tally.lasted, 1),
        refusal_p50_ms=tally.milliseconds(503, 0.5),
        refusal_p99_ms=tally.milliseconds(503, 0.99),
        others=tally.others(),
        recovery_s=await recovery(crowd, capacity / 2, tally.ended),
        memory_mib=memory,
        greeting_p99_ms=greeted.milliseconds(200, 0.99) if greeted else None,
    )


async def database_bound(subject: Subject, seconds: float) -> list[Row]:
    """Drive the list of users at each level."""
    capacity = POOL / DELAY
    async with subject.crowd("/users", CONNECTIONS) as crowd, subject.crowd("/", 4) as probe:
        while not (await crowd.drive(10, HEALED)).is_well():
            pass
        await crowd.drive(capacity, seconds)
        return [await level(subject, crowd, probe, (capacity, times, seconds)) for times in LEVELS]


async def cpu_bound(subject: Subject, seconds: float) -> list[Row]:
    """Measure what the greeting can do, and drive it at each level."""
    async with subject.crowd("/", GREETING_CONNECTIONS, PIPELINED) as crowd:
        # Far more than it can do; at its limit it does what it can.
        capacity = (await crowd.drive(100_000, seconds)).in_time / seconds
        return [await level(subject, crowd, None, (capacity, times, seconds)) for times in LEVELS]


@asynccontextmanager
async def served() -> AsyncIterator[Subject]:
    """Run PostgreSQL, the link and the api."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.sched_setaffinity(0, {CLIENT_CORE})
        database = stack.enter_context(postgres.serve(folder))
        entry = contestants.ours(folder, database)
        socket = database.cluster.socket / f".s.PGSQL.{database.cluster.port}"
        async with slow_link(socket) as link:
            environment = {
                **entry.contestant.environment,
                "BUOY_DB_HOST": "127.0.0.1",
                "BUOY_DB_PORT": str(link),
                "BUOY_DB_POOL_SIZE": str(POOL),
            }
            api = replace(entry.contestant, name="api", environment=environment)
            server = await asyncio.to_thread(stack.enter_context, running(api, SERVER_CORE))
            yield Subject(server.port, entry.headers["Authorization"], server.pid)
            await asyncio.to_thread(stack.close)


def show(title: str, rows: Sequence[Row], verdicts: Sequence[dict[str, object]]) -> None:
    """Print figures, and targets beside them."""
    print(f"\n{title}")
    for row in rows:
        print("  " + "  ".join(f"{k} {v}" for k, v in asdict(row).items() if v is not None))
    for each in verdicts:
        met = "met" if each["met"] else "MISSED"
        print(f"  {each['what']} at {each['times']}x: {each['figure']} ({each['target']}: {met})")


async def main(seconds: float) -> None:
    """Measure, print and write."""
    results: dict[str, object] = {"seconds a level": seconds}
    async with served() as subject:
        for title, measure, targets in (
            ("list of users, bound by PostgreSQL", database_bound, DATABASE_BOUND),
            ("greeting, bound by the CPU", cpu_bound, CPU_BOUND),
        ):
            rows = await measure(subject, seconds)
            verdicts = judge(rows, targets)
            show(title, rows, verdicts)
            results[title] = {"levels": [asdict(row) for row in rows], "targets": verdicts}
    command = "make bench-overload"
    print(f"\nwritten: {report.write_json('overload', command, results)}")


if __name__ == "__main__":
    uvloop.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0))
