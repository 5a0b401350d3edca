"""Nothing acknowledged is lost, nothing refused is done: PostgreSQL is killed under writes.

Case 50 of the project's catalogue of faults, with the others that hit writes: kill, clean restart,
terminated sessions, cancelled callers. The history is checked against the rows in the end.
"""

import asyncio
import itertools
import os
import random
import signal

import pytest

from bellbuoy.database.connections import Connection
from bellbuoy.errors import DatabaseUnavailable, OutcomeUnknown
from tests.bellbuoy.database.pools import READ, Opened, opened, settings_for
from tests.integration.asking import answers, until
from tests.integration.history import History
from tests.postgres import Server, own_postgres

__all__ = ["own_postgres"]

WRITE = "test.write"
WRITERS = 8

KILLS = int(os.environ.get("BELLBUOY_KILLS", "3"))
"""The catalogue kills a hundred times, and so does `make test-faults`; each costs two seconds."""

BOTH = "WITH mark AS (INSERT INTO marks VALUES ($1)) INSERT INTO shadows VALUES ($1)"
"""What :class:`Row` writes, in one statement."""

_TERMINATE = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'test'"
)

BAD = [
    (History(ok={1, 2}), [1], "acknowledged and lost: [2]"),
    (History(ok={1}, failed={2}), [1, 2], "refused and done all the same: [2]"),
    (History(ok={1}), [1, 3], "never asked for: [3]"),
    (History(ok={1}), [1, 1], "done twice: [1]"),
    (History(unknown={1}), [1, 1], "done twice: [1]"),
]


@pytest.mark.parametrize("history, final, complaint", BAD)
def test_the_check_finds_what_is_wrong(history: History, final: list[int], complaint: str) -> None:
    """A check that cannot fail proves nothing."""
    assert history.violations(final) == [complaint]


@pytest.mark.parametrize("final", [[1], [1, 3]])
def test_the_check_lets_the_unknown_be(final: list[int]) -> None:
    """Nobody promised anything about it."""
    assert History(ok={1}, failed={2}, unknown={3}).violations(final) == []


class Row:
    """A write of two statements, which belong together."""

    def __init__(self, number: int) -> None:
        """Write row ``number`` and its shadow."""
        self._number = number

    async def __call__(self, connection: Connection) -> None:
        """Write both."""
        await connection.execute("INSERT INTO marks VALUES ($1)", self._number)
        await connection.execute("INSERT INTO shadows VALUES ($1)", self._number)


class Writers:
    """Writes rows with rising numbers until told to stop, and notes what it is told of each.

    Every second one by a transaction, the others by a single statement.
    """

    def __init__(self, target: Opened) -> None:
        """Write through ``target``."""
        self.history = History()
        self._target = target
        self._numbers = itertools.count()
        self._done = False
        self._tasks = [asyncio.create_task(self._write_on(seed)) for seed in range(WRITERS)]

    async def stop(self) -> None:
        """Write no more."""
        self._done = True
        await asyncio.gather(*self._tasks)

    async def written(self, more: int) -> None:
        """Return when so many more writes are acknowledged."""
        goal = len(self.history.ok) + more

        async def is_there() -> bool:
            return len(self.history.ok) >= goal

        await until(is_there)

    async def _write_on(self, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - a test's luck is no secret
        while not self._done:
            number = next(self._numbers)
            write = self._in_a_statement if number % 2 else self._in_a_transaction
            impatient = chance.random() < 0.05
            try:
                async with asyncio.timeout(chance.random() / 100 if impatient else None):
                    await write(number)
            except DatabaseUnavailable:
                self.history.failed.add(number)
                await asyncio.sleep(0.005)
            except (OutcomeUnknown, TimeoutError):
                self.history.unknown.add(number)
            else:
                self.history.ok.add(number)

    async def _in_a_transaction(self, number: int) -> None:
        await self._target.pool.write(WRITE, Row(number))

    async def _in_a_statement(self, number: int) -> None:
        await self._target.pool.write_row(WRITE, BOTH, number)


async def final(target: Opened, table: str) -> list[int]:
    """Return the rows of a table."""
    rows = await target.pool.fetch(READ, f"SELECT n FROM {table}")  # noqa: S608 - a test's own
    return [row["n"] for row in rows]


@pytest.mark.slow
@pytest.mark.timeout(120 + 20 * KILLS)
async def test_no_acknowledged_write_is_lost_whatever_happens_to_postgresql(
    own_postgres: Server,
) -> None:
    """Killed again and again, restarted, its sessions terminated, callers that run away."""
    database = own_postgres.database()
    own_postgres.psql(
        "CREATE TABLE marks (n int); CREATE TABLE shadows (n int);"
        "GRANT ALL ON marks, shadows TO bellbuoy_app",
        database.name,
    )
    settings = settings_for(database, pool_size=4)
    async with opened(settings, operations=(READ, WRITE), schema=0) as target:
        await until(lambda: answers(target))
        writers = Writers(target)
        strikes = (None, signal.SIGINT, *[signal.SIGKILL] * KILLS)
        for strike in strikes:
            await writers.written(100)
            if strike is None:
                await asyncio.to_thread(own_postgres.psql, _TERMINATE)
            else:
                await asyncio.to_thread(own_postgres.stop, strike)
                await asyncio.to_thread(own_postgres.start)
        await writers.written(100)
        await writers.stop()
    # Closing finished the writes whose callers had left.
    async with opened(settings, operations=(READ, WRITE), schema=0) as target:
        await until(lambda: answers(target))
        marks, shadows = await final(target, "marks"), await final(target, "shadows")
    assert writers.history.violations(marks) == []
    assert sorted(marks) == sorted(shadows)
    assert len(writers.history.ok) >= 100 * len(strikes)
    assert {number % 2 for number in writers.history.ok} == {0, 1}
    assert writers.history.failed
