"""The metrics as they are served: clean, complete, and as many after a storm as before."""

import asyncio
import os
import random
import shutil
import signal
import socket
import string
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from api.service import ApiService
from bellbuoy.host.families import FAMILIES
from echo.families import FAMILIES as ECHO
from tests.clients import connect, is_echoed
from tests.integration.test_api_deaths import api, fill
from tests.integration.test_deaths import replaced
from tests.postgres import Database, database, postgres
from tests.program import Answer, Program, running
from tests.waiting import eventually

__all__ = ["database", "postgres"]

pytestmark = pytest.mark.slow

MOST = 2_500
"""Samples of a service; rendering costs about 5 µs each."""

PATHS = METHODS = 100_000
CONNECTIONS = 20
AT_ONCE = 50
"""Requests that a client sends before it reads their answers."""


@pytest.fixture
def echo() -> Iterator[Program]:
    """An echo service with two workers that has echoed something."""
    with running("echo", {"BUOY_WORKERS": "2"}, complaints=["worker died"]) as program:
        program.await_workers(2)
        with connect(program.address) as client:
            assert is_echoed(client)
        yield program


@pytest.fixture
def served(tmp_path: Path, database: Database) -> Iterator[Program]:
    """An api on a real database."""
    asyncio.run(fill(database))
    with api(tmp_path, database, "uvloop") as program:
        program.await_workers(2)
        yield program


def check(text: str) -> str:
    """Return what Prometheus' own linter says; it must be there in CI."""
    if not shutil.which("promtool"):
        assert not os.environ.get("CI"), "no promtool"
        pytest.skip("no promtool here")
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode in {0, 3}, done.stderr
    return done.stdout + done.stderr


def samples(program: Program) -> set[str]:
    """Return every series of a scrape, as written, without its value.

    Of the processes' own there may be other workers.
    """
    lines = program.get("/metrics").body.splitlines()
    return {
        line.rpartition(" ")[0]
        for line in lines
        if not line.startswith("#") and "process=" not in line
    }


def openmetrics(program: Program) -> Answer:
    """Scrape as a newer Prometheus does."""
    return program.get("/metrics", headers={"Accept": "application/openmetrics-text"})


def assert_complete(program: Program, declared: set[str]) -> None:
    """Every declared family is there, in both formats, and Prometheus finds no fault."""
    text = program.get("/metrics").body
    assert check(text) == ""
    told = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert declared - told == set()
    answer = openmetrics(program)
    assert answer.body.endswith("\n# EOF\n")
    families = list(text_string_to_metric_families(answer.body))  # type: ignore[no-untyped-call]
    assert {name.removesuffix("_total") for name in declared} <= {each.name for each in families}
    assert sum(len(family.samples) for family in families) <= MOST


def test_what_echo_exports_is_complete_and_clean(echo: Program) -> None:
    """By Prometheus' own linter, as text and as OpenMetrics."""
    assert_complete(echo, {family.name for family in (*FAMILIES, *ECHO)})


def test_what_the_api_exports_is_complete_and_clean(served: Program) -> None:
    """By Prometheus' own linter, as text and as OpenMetrics."""
    declared = {family.name for family in (*FAMILIES, *ApiService.families)}
    assert_complete(served, declared)


@pytest.mark.timeout(600)
def test_a_storm_of_names_adds_no_series(served: Program) -> None:
    """100,000 random paths, with every method, and as many methods that do not exist."""
    dice = random.Random(7)  # noqa: S311 - a test's
    asyncio.run(storm(served, dice, 2_000, 100))  # every kind of answer was given once
    before = samples(served)
    asyncio.run(storm(served, dice, PATHS, METHODS))
    after = samples(served)
    assert after - before == set()
    assert len(after) <= MOST


async def storm(program: Program, dice: random.Random, count: int, others: int) -> None:
    """Ask for so many random paths, on a few connections at once, and by so many methods."""
    for ask, many in ((one_client, count), (methods, others)):
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(ask(program, dice, many // CONNECTIONS))


async def one_client(program: Program, dice: random.Random, count: int) -> None:
    """Ask and read in turns; a connection that is closed is made anew."""
    asked = 0
    while asked < count:
        reader, writer = await asyncio.open_connection(*program.address)
        try:
            while asked < count:
                requests = [request(dice) for _ in range(min(AT_ONCE, count - asked))]
                writer.write(b"".join(requests))
                answered = await answers(reader, len(requests))
                asked += max(answered, 1)
                if answered < len(requests):
                    break
        except ConnectionError:
            asked += 1
        finally:
            writer.close()


async def answers(reader: asyncio.StreamReader, count: int) -> int:
    """Return how many of ``count`` answers came before the connection ended.

    They are counted and not read: a status line has its like in no head and no body.
    """
    came = b""
    while (number := came.count(b"HTTP/1.1 ")) < count or not is_whole(came):
        piece = await reader.read(65_536)
        if not piece:
            return number - (not is_whole(came))
        came += piece
    return count


def is_whole(came: bytes) -> bool:
    """Return whether the last answer is there to its end."""
    head, end, body = came[came.rfind(b"HTTP/1.1 ") :].partition(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return bool(end) and len(body) == int(length or 0)


def request(dice: random.Random) -> bytes:
    """Return a request for what hardly exists."""
    method = dice.choice(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
    path = "".join(dice.choices(string.ascii_letters + "/%20-", k=dice.randint(1, 40)))
    extra = "Content-Length: 0\r\n" if method.startswith("P") else ""
    return f"{method} /x/{path} HTTP/1.1\r\nHost: api\r\n{extra}\r\n".encode()


async def methods(program: Program, dice: random.Random, count: int) -> None:
    """Ask by methods that nobody knows, each on its own connection, which that ends."""
    for _ in range(count):
        reader, writer = await asyncio.open_connection(*program.address)
        method = "".join(dice.choices(string.ascii_uppercase, k=9))
        writer.write(f"{method} / HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n".encode())
        assert b" 400 " in await reader.readline()
        # With RST: after a FIN the kernel keeps the port for a minute, and it has not so many.
        link: socket.socket = writer.get_extra_info("socket")
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()


def test_generations_of_workers_leave_nothing_behind(echo: Program) -> None:
    """Killed one after the other: no file, no descriptor, no series remains of them."""
    eventually(lambda: echo.metrics().value("echo_messages_total") > 0)
    before = traces(echo)
    for _ in range(10):
        victim = echo.traffic()[0]
        os.kill(victim, signal.SIGKILL)
        eventually(lambda victim=victim: replaced(echo, victim, 2))  # type: ignore[misc]  # a lambda
    assert traces(echo) == before
    assert echo.metrics().value("bellbuoy_worker_deaths_total", how="signal") == 10


def traces(program: Program) -> tuple[int, list[str], int]:
    """Return the supervisor's descriptors, the shared files, and the series of a scrape."""
    descriptors = list(Path(f"/proc/{program.pid}/fd").iterdir())
    maps = Path(f"/proc/{program.pid}/maps").read_text().splitlines()
    shared = sorted(line.split()[0] + line.split()[5] for line in maps if "scoreboard" in line)
    return len(descriptors), shared, len(samples(program))
