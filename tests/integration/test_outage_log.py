"""What an outage of a real PostgreSQL writes into the log: few lines, however much fails."""

import asyncio
import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from bellbuoy import logs
from tests.api.serving import known_tokens
from tests.bellbuoy.test_logs import events, restored
from tests.integration.test_api_deaths import EACH, fill, until, visited
from tests.postgres import Server, own_postgres
from tests.program import Event, Program, loop, ports
from tests.waiting import soon

__all__ = ["loop", "own_postgres", "restored"]

pytestmark = pytest.mark.slow

WORKERS = 2
POOL = EACH

REFUSED = 2_000
"""Requests that fail in the outage."""

MOST = WORKERS * (POOL + 2)
"""Lines: a worker says that PostgreSQL is away, that it is back, and of each connection that it had
that it is closed."""

RETRIES = 3
"""Of asyncpg, in the first three seconds of an outage."""


@contextmanager
def api(folder: Path, server: Server, loop: str) -> Iterator[Program]:
    """Run the api with two workers."""
    environ = {
        **ports("api"),
        **server.database().environ(),
        **known_tokens(folder),
        "BUOY_DB_POOL_SIZE": str(POOL),
        "BUOY_LOOP": loop,
        "BUOY_WORKERS": str(WORKERS),
    }
    program = Program([sys.executable, "-m", "api"], environ)
    try:
        yield program
    finally:
        left = program.end()
    assert left == []
    assert program.complaints() == []


def told(program: Program) -> list[Event]:
    """Return what was logged of the database, by us and by the driver."""
    return [
        each
        for each in program.events
        if each["logger"].startswith(("bellbuoy.database", "asyncpg", "bellbuoy.logs"))
    ]


async def test_an_outage_under_load_is_told_in_few_lines(
    tmp_path: Path, own_postgres: Server, loop: str
) -> None:
    """Killed and started again, while thousands of requests fail: their count is a metric."""
    await fill(own_postgres.database())
    with api(tmp_path, own_postgres, loop) as program:
        await asyncio.to_thread(program.await_workers, WORKERS)
        async with visited(program) as visitors:
            before = len(told(program))
            await asyncio.to_thread(own_postgres.kill)
            await until(lambda: program.metrics().value("db_refused_total") > REFUSED)
            await asyncio.to_thread(own_postgres.start)
            await until(lambda: len(program.logged("database available")) >= 2 * WORKERS)
            assert [visitor.path for visitor in visitors if visitor.task.done()] == []
        lines = told(program)[before:]
    away = [each for each in lines if each["message"] == "database unavailable"]
    assert len({each["worker"] for each in away}) == len(away) == WORKERS
    assert len(lines) <= MOST


class Listener(logging.Handler):
    """Hears what is not written, too."""

    def __init__(self) -> None:
        """Have heard nothing."""
        super().__init__()
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Hear it."""
        self.heard.append(record.getMessage())


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Whoever sits beside the driver."""
    driver, listener = logging.getLogger("asyncpg"), Listener()
    driver.addHandler(listener)
    yield listener
    driver.removeHandler(listener)


async def test_the_driver_tells_of_an_outage_once_and_how_often_it_would_have(
    own_postgres: Server, listener: Listener
) -> None:
    """Our pool keeps no connections that asyncpg would restore; one that does is as quiet."""
    stream = io.StringIO()
    logs.configure("info", stream)
    arguments = own_postgres.database().connect_arguments()
    async with asyncpg.create_pool(**arguments, min_size=2, max_size=2):
        await asyncio.to_thread(own_postgres.kill)
        await soon(lambda: len(listener.heard) >= RETRIES)
    logs.flush(last=True)
    first, last = events(stream)
    assert first["logger"] == "asyncpg.pool"
    assert "exception" not in first
    assert (last["message"], last["by"]) == ("events left out", "asyncpg.pool")
    assert last["suppressed"] == len(listener.heard) - 1
