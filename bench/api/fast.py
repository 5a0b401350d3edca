"""FastAPI on uvicorn with uvloop and httptools, and asyncpg's pool as its documentation has it."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import asyncpg
import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

COLUMNS = "id, name, email, created_at, updated_at, version"
GET = f"SELECT {COLUMNS} FROM users WHERE id = $1"  # noqa: S608 - a constant
LIST = f"SELECT {COLUMNS} FROM users WHERE id > $1 ORDER BY id LIMIT $2"  # noqa: S608
CREATE = f"INSERT INTO users (name, email) VALUES ($1, $2) RETURNING {COLUMNS}"  # noqa: S608


class NewUser(BaseModel):
    """What a client sends."""

    name: str
    email: str


class User(NewUser):
    """What a client gets."""

    id: int
    created_at: datetime
    updated_at: datetime
    version: int


class Page(BaseModel):
    """Some users, and where the next ones begin."""

    users: list[User]
    next: str | None


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keep the pool open while the application runs."""
    async with asyncpg.create_pool(os.environ["DSN"]) as app.state.pool:
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/", response_class=PlainTextResponse)
async def greet() -> str:
    """Greet."""
    return "Hello, World!"


@app.get("/users/{user_id}")
async def get(request: Request, user_id: int) -> User:
    """Answer one user."""
    async with request.app.state.pool.acquire() as connection:
        row = await connection.fetchrow(GET, user_id)
    if row is None:
        raise HTTPException(404)
    return User(**row)


@app.get("/users")
async def several(request: Request, limit: int = 20, after: int = 0) -> Page:
    """Answer one page of users."""
    async with request.app.state.pool.acquire() as connection:
        rows = await connection.fetch(LIST, after, limit)
    following = str(rows[-1]["id"]) if len(rows) == limit else None
    return Page(users=[User(**row) for row in rows], next=following)


@app.post("/users", status_code=201)
async def create(request: Request, wanted: NewUser) -> User:
    """Add a user."""
    async with request.app.state.pool.acquire() as connection:
        row = await connection.fetchrow(CREATE, wanted.name, wanted.email)
    return User(**row)


uvicorn.run(
    app,
    host="127.0.0.1",
    port=int(sys.argv[1]),
    loop="uvloop",
    http="httptools",
    access_log=False,
    log_level="warning",
)
