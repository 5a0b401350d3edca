"""Users: reading and writing them in PostgreSQL.

Law of this file: one statement a read, or less; one transaction a write, which says what versions
it is about. Whatever asks PostgreSQL has a turn, and nothing else has. Nothing reaches PostgreSQL
that it would refuse to parse.
"""

import functools
from collections.abc import Awaitable, Callable
from typing import Any, Final, ParamSpec, TypeVar

import msgspec
from msgspec import UnsetType

from api import cursor, etag
from api.user import NewUser, Page, User, UserPatch
from bellbuoy.database import Connection, DatabasePool
from bellbuoy.errors import ConstraintViolated
from bellbuoy.host.web import Problem
from bellbuoy.limiter import ConcurrencyLimiter
from bellbuoy.monitor import AsyncMonitor

P = ParamSpec("P")
R = TypeVar("R")

GET: Final = "users.get"
LIST: Final = "users.list"
FIND: Final = "users.find"
CREATE: Final = "users.create"
UPDATE: Final = "users.update"
DELETE: Final = "users.delete"
OPERATIONS = (GET, LIST, FIND, CREATE, UPDATE, DELETE)
"""The statements' names, in metrics; the tasks' names too."""

EMAIL_KEY = "users_email_key"

# PostgreSQL writes the times out, because here they are only passed on: making a datetime object
# of each took half of the time that reading a page costs the worker.
_TIME = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
_COLUMNS = f"""id, name, email,
    to_char(created_at AT TIME ZONE 'UTC', {_TIME}) AS created_at,
    to_char(updated_at AT TIME ZONE 'UTC', {_TIME}) AS updated_at,
    version"""
_GET = f"SELECT {_COLUMNS} FROM users WHERE id = ANY($1::bigint[])"  # noqa: S608 - a constant
# A page comes as one row of arrays, which keep the subquery's order: the worker takes it apart
# sooner than a row of each user.
_GATHERED = ", ".join(f"array_agg({column})" for column in User.__struct_fields__)
_LIST = f"""SELECT {_GATHERED} FROM
    (SELECT {_COLUMNS} FROM users WHERE id > $1 ORDER BY id LIMIT $2) AS page"""  # noqa: S608
_FIND = f"SELECT {_COLUMNS} FROM users WHERE lower(email) = lower($1) AND id > $2"  # noqa: S608
_INSERT = f"INSERT INTO users (name, email) VALUES ($1, $2) RETURNING {_COLUMNS}"  # noqa: S608
_IS_MEANT = """id = $1 AND ($2::integer[] IS NULL OR version = ANY($2))
    AND version <> ALL ($3::integer[])"""
_UPDATE = f"""
UPDATE users SET name = coalesce($4, name), email = coalesce($5, email), version = version + 1,
    updated_at = greatest(now(), updated_at)
WHERE {_IS_MEANT} RETURNING {_COLUMNS}
"""  # noqa: S608
_DELETE = f"DELETE FROM users WHERE {_IS_MEANT} RETURNING id"  # noqa: S608
_VERSION = "SELECT version FROM users WHERE id = $1"


class Users:
    """The users in one database.

    Args:
        database: Where they are.
        monitor: Where the work is tracked.
        limiter: Who may ask PostgreSQL now; every method raises :class:`Overloaded` without a turn.
    """

    def __init__(
        self, database: DatabasePool, monitor: AsyncMonitor, limiter: ConcurrencyLimiter
    ) -> None:
        """Ask nothing yet."""
        self._database = database
        # Those who ask in the same turn of the loop share a query.
        batcher = database.batcher(GET, _GET, lambda row: User(*row))
        self.monitor = monitor
        self.get = _in_turn(limiter, monitor.track_task(GET)(batcher.get))
        self.list = _in_turn(limiter, monitor.track_task(LIST)(self._list))
        self.find = _in_turn(limiter, monitor.track_task(FIND)(self._find))
        self.create = _in_turn(limiter, monitor.track_task(CREATE)(self._create))
        self.update = _in_turn(limiter, monitor.track_task(UPDATE)(self._update))
        self.delete = _in_turn(limiter, monitor.track_task(DELETE)(self._delete))

    async def _list(self, after: int, limit: int) -> Page:
        """Return the ``limit`` users whose ids follow ``after``."""
        # One more than asked for tells whether there is a next page.
        columns: Any = await self._database.fetchrow(LIST, _LIST, after, limit + 1)
        users = list(map(User, *columns)) if columns[0] else []
        following = cursor.encode(users[limit - 1].id) if len(users) > limit else None
        return Page(users[:limit], following)

    async def _find(self, email: str, after: int) -> Page:
        """Return the user with this address, in capitals or not, if one follows ``after``."""
        rows = await self._database.fetch(FIND, _FIND, email, after)
        return Page([User(*row) for row in rows], None)

    async def _create(self, new: NewUser, done: Callable[[object], object]) -> User:
        """Add a user and return it.

        Args:
            new: The user.
            done: Called once it is there, though nobody may wait for it any more.

        Raises:
            Problem: 409, the address is somebody else's.
        """
        try:
            row: Any = await self._database.write_row(
                CREATE, _INSERT, new.name, new.email, done=done
            )
            return User(*row)
        except ConstraintViolated as error:
            raise translate(error) from error

    async def _update(
        self, user_id: int, versions: etag.Versions, new: NewUser | UserPatch
    ) -> User:
        """Change what ``new`` has, and return the user.

        Args:
            user_id: Whom.
            versions: In which of its versions.
            new: What to write.

        Raises:
            Problem: 404, there is none; 412, it has another version; 409, the address is taken.
        """
        meant = user_id, versions.only, versions.but
        values = _value(new.name), _value(new.email)
        try:
            row = await self._database.write_row(UPDATE, _UPDATE, *meant, *values)
        except ConstraintViolated as error:
            raise translate(error) from error
        if row is None:
            raise await self._missed(UPDATE, user_id)
        return User(*row)

    async def _delete(self, user_id: int, versions: etag.Versions) -> None:
        """Remove a user; see :meth:`_update` for the arguments and errors."""
        meant = user_id, versions.only, versions.but
        if await self._database.write_row(DELETE, _DELETE, *meant) is None:
            raise await self._missed(DELETE, user_id)

    async def _missed(self, operation: str, user_id: int) -> Problem:
        """Return why a user was not written: it has another version, or it is not there."""
        if await self._database.fetchrow(operation, _VERSION, user_id) is None:
            return nobody()
        return Problem(412, "The user has another version than you mean; get it again.")


async def insert(connection: Connection, new: NewUser) -> User:
    """Add a user within a transaction."""
    row: Any = await connection.fetchrow(_INSERT, new.name, new.email)
    return User(*row)


def translate(error: ConstraintViolated) -> Exception:
    """Return what a broken rule is for the client; a bug of ours stays one."""
    if error.constraint == EMAIL_KEY:
        return Problem(409, "Another user has this e-mail address.")
    return error


def _in_turn(
    limiter: ConcurrencyLimiter, work: Callable[P, Awaitable[R]]
) -> Callable[P, Awaitable[R]]:
    """Return ``work`` for whoever has a turn.

    The wait for it is no part of what is tracked, and what fails before PostgreSQL is asked takes
    none: so a turn's length says how long PostgreSQL takes.
    """
    return functools.partial(limiter.execute, work)


def nobody() -> Problem:
    """Return the 404 of an id that no user has."""
    return Problem(404, "There is no user with this id.")


def _value(member: str | UnsetType) -> str | None:
    return None if member is msgspec.UNSET else str(member)
