"""aiohttp with asyncpg's pool as both document it: acquire, fetch, release, one query a request."""

import os
import sys
from collections.abc import AsyncIterator

import asyncpg
import uvloop
from aiohttp import web

COLUMNS = "id, name, email, created_at, updated_at, version"
GET = f"SELECT {COLUMNS} FROM users WHERE id = $1"  # noqa: S608 - a constant
LIST = f"SELECT {COLUMNS} FROM users WHERE id > $1 ORDER BY id LIMIT $2"  # noqa: S608
CREATE = f"INSERT INTO users (name, email) VALUES ($1, $2) RETURNING {COLUMNS}"  # noqa: S608

POOL = web.AppKey("POOL", asyncpg.Pool)


def shown(row: asyncpg.Record) -> dict[str, object]:
    """Return a row as JSON can hold it."""
    times = {name: row[name].isoformat() for name in ("created_at", "updated_at")}
    return {**row, **times}


async def get(request: web.Request) -> web.Response:
    """Answer one user."""
    async with request.app[POOL].acquire() as connection:
        row = await connection.fetchrow(GET, int(request.match_info["id"]))
    if row is None:
        raise web.HTTPNotFound
    return web.json_response(shown(row))


async def several(request: web.Request) -> web.Response:
    """Answer one page of users."""
    limit = int(request.query["limit"])
    async with request.app[POOL].acquire() as connection:
        rows = await connection.fetch(LIST, int(request.query.get("after", "0")), limit)
    following = str(rows[-1]["id"]) if len(rows) == limit else None
    return web.json_response({"users": [shown(row) for row in rows], "next": following})


async def create(request: web.Request) -> web.Response:
    """Add a user."""
    wanted = await request.json()
    async with request.app[POOL].acquire() as connection:
        row = await connection.fetchrow(CREATE, wanted["name"], wanted["email"])
    assert row is not None  # RETURNING
    return web.json_response(shown(row), status=201)


async def pool(app: web.Application) -> AsyncIterator[None]:
    """Keep the pool open while the application runs."""
    async with asyncpg.create_pool(os.environ["DSN"]) as app[POOL]:
        yield


app = web.Application()
app.cleanup_ctx.append(pool)
app.add_routes(
    [web.get("/users/{id}", get), web.get("/users", several), web.post("/users", create)]
)
web.run_app(
    app,
    host="127.0.0.1",
    port=int(sys.argv[1]),
    loop=uvloop.new_event_loop(),
    access_log=None,
    print=lambda *_: None,
)
