"""Users: reading them from PostgreSQL and showing them as JSON.

Law of this file: nothing reaches PostgreSQL that it would refuse to parse. An id is a number that
fits its column; other text does not get there at all.
"""

import re
from datetime import datetime
from typing import Final

import msgspec
from aiohttp import web

from api import cursor
from api.auth import READ, Gate
from bellbuoy.database import DatabasePool
from bellbuoy.host.web import Problem
from bellbuoy.monitor import AsyncMonitor

GET: Final = "users.get"
LIST: Final = "users.list"
OPERATIONS = (GET, LIST)
"""The statements' names, in metrics; the tasks' names too."""

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
"""Users on one page."""

_COLUMNS = "id, name, email, created_at, updated_at, version"
_GET = f"SELECT {_COLUMNS} FROM users WHERE id = $1"  # noqa: S608 - a constant
_LIST = f"SELECT {_COLUMNS} FROM users WHERE id > $1 ORDER BY id LIMIT $2"  # noqa: S608

_ID = re.compile(r"0|[1-9][0-9]*", re.ASCII)
_MAX_ID = (1 << 63) - 1
_HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store"}


class User(msgspec.Struct, frozen=True):
    """One user, as the client sees it; the fields are the columns, in their order.

    Times are UTC.
    """

    id: int
    name: str
    email: str
    created_at: datetime
    updated_at: datetime
    version: int


class Page(msgspec.Struct, frozen=True):
    """Some users, by rising id.

    Args:
        users: At most as many as were asked for.
        next: The cursor to go on from; ``None`` on the last page.
    """

    users: list[User]
    next: str | None


class Users:
    """The users in one database.

    Args:
        database: Where they are.
        monitor: Where the work is tracked.
    """

    def __init__(self, database: DatabasePool, monitor: AsyncMonitor) -> None:
        """Ask nothing yet."""
        self._database = database
        self.get = monitor.track_task(GET)(self._get)
        self.list = monitor.track_task(LIST)(self._list)

    async def _get(self, user_id: int) -> User | None:
        """Return a user, or ``None`` if there is none with this id."""
        row = await self._database.fetchrow(GET, _GET, user_id)
        return User(*row) if row else None

    async def _list(self, after: int, limit: int) -> Page:
        """Return the ``limit`` users whose ids follow ``after``."""
        # One more than asked for tells whether there is a next page.
        rows = await self._database.fetch(LIST, _LIST, after, limit + 1)
        users = [User(*row) for row in rows[:limit]]
        return Page(users, cursor.encode(users[-1].id) if len(rows) > limit else None)


class UserRoutes:
    """Answers ``GET /users/{id}`` and ``GET /users``.

    Args:
        users: The users.
        gate: Who may ask.
    """

    def __init__(self, users: Users, gate: Gate) -> None:
        """Read the users from ``users``."""
        self._users = users
        self._gate = gate

    async def get(self, request: web.Request) -> web.Response:
        """Answer one user.

        Raises:
            Problem: 400 for what is no id, 404 for an id that nobody has.
        """
        self._gate.admit(request, READ)
        user_id = parse_id(request.match_info["id"])
        user = await self._users.get(user_id) if user_id else None
        if user is None:
            raise Problem(404, "There is no user with this id.")
        return _json(user)

    async def list(self, request: web.Request) -> web.Response:
        """Answer one page of users.

        Raises:
            Problem: 400 for a limit or a cursor that is none.
        """
        self._gate.admit(request, READ)
        limit = parse_limit(_single(request, "limit"))
        after = _single(request, "after")
        return _json(await self._users.list(cursor.decode(after) if after else 0, limit))


def parse_id(text: str) -> int | None:
    """Return the id that a path segment spells; ``None`` if no user can have it.

    Raises:
        Problem: It is not a whole number, in its one spelling.
    """
    if not _ID.fullmatch(text):
        raise Problem(400, "A user's id is a whole number.")
    # The length first: Python refuses to convert thousands of digits.
    if len(text) > len(str(_MAX_ID)) or not 0 < int(text) <= _MAX_ID:
        return None
    return int(text)


def parse_limit(text: str | None) -> int:
    """Return how many users a page shall have.

    Raises:
        Problem: It is not a whole number from 1 to :data:`MAX_LIMIT`.
    """
    if text is None:
        return DEFAULT_LIMIT
    if not _ID.fullmatch(text) or len(text) > len(str(MAX_LIMIT)) or not 0 < int(text) <= MAX_LIMIT:
        raise Problem(400, f"limit is a whole number from 1 to {MAX_LIMIT}.")
    return int(text)


def _single(request: web.Request, name: str) -> str | None:
    values = request.query.getall(name, [])
    if len(values) > 1:
        raise Problem(400, f"{name} may be given once.")
    return values[0] if values else None


_encoder = msgspec.json.Encoder()


def _json(content: msgspec.Struct) -> web.Response:
    return web.Response(body=_encoder.encode(content) + b"\n", headers=_HEADERS)
