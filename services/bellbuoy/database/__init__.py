"""The database: a pool that outlives PostgreSQL's restarts, and migrations.

::

    pool ─ access           one attempt on one connection
      │ │ ├── faults        what went wrong, decided purely
      │ │ ├── availability  whether PostgreSQL is worth asking, decided purely
      │ │ ├── connections   asyncpg's pool behind a queue with a deadline
      │ │ └── measures      what is counted
      │ ├──── transaction   work between BEGIN and COMMIT, and what is certain when it fails
      │ └──── writes        writes under way, which outlive their callers
      └ watch ─ schema      whether PostgreSQL is back, and which schema it has
    session                 how a connection is opened and what it may not do
    migrations ─ migrate    numbered SQL files, and bringing a database to the latest
    direct                  a connection for a job: without a request's limits

``asyncpg`` is imported in this package only.
"""

from bellbuoy.database.connections import Connection
from bellbuoy.database.direct import direct
from bellbuoy.database.measures import families
from bellbuoy.database.migrate import migrate
from bellbuoy.database.migrations import Migrations
from bellbuoy.database.pool import DatabasePool
from bellbuoy.database.settings import DatabaseSettings

__all__ = [
    "Connection",
    "DatabasePool",
    "DatabaseSettings",
    "Migrations",
    "direct",
    "families",
    "migrate",
]
