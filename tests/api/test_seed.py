"""Demo users: there once, however often one asks."""

import pytest

from api.schema import migrations
from api.seed import seed
from bellbuoy.database import direct, migrate
from onebox import roles
from tests.bellbuoy.database.pools import settings_for
from tests.postgres import Database, database, postgres

__all__ = ["database", "postgres"]


async def test_seeding_again_adds_who_is_missing(database: Database) -> None:
    """Ids go on without gaps, whatever was asked before."""
    owner = settings_for(database, role=roles.OWNER)
    await migrate(owner, migrations())
    added = [await seed(owner, count) for count in (100, 100, 50, 130)]
    async with direct(owner, "test") as connection:
        row = await connection.fetchrow(
            "SELECT count(*), count(DISTINCT lower(email)), min(id), max(id), "
            "bool_and(name <> '') FROM users"
        )
    assert added == [100, 0, 0, 30]
    assert row is not None
    assert tuple(row) == (130, 130, 1, 130, True)


@pytest.mark.slow
async def test_seeding_is_fast(database: Database) -> None:
    """One statement, not one for each user."""
    owner = settings_for(database, role=roles.OWNER)
    await migrate(owner, migrations())
    assert await seed(owner, 20_000) == 20_000
