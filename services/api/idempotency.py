"""Idempotency: a request with a key is done once, however often it comes.

Law of this file: what was done and what was answered are one transaction. Whoever finds the answer
may repeat it; whoever finds none does the work, and holds the key's lock until it is done. Nobody
waits with a database connection or a turn in hand. (draft-ietf-httpapi-idempotency-key-header-07)
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from bellbuoy.database import Connection, DatabasePool
from bellbuoy.errors import OutcomeUnknown
from bellbuoy.host.web import Problem
from bellbuoy.limiter import ConcurrencyLimiter

CREATE: Final = "users.create"

WAIT = 1.0
"""Seconds to wait for another request with the same key."""

UNKNOWN = 1000
"""Keys to remember at most of which nobody knows whether they were done."""

LOOK = 0.05
"""Seconds between two looks at a key that another process holds."""

HEADER = "Idempotency-Key"
PATTERN = r'^(?:"[!#-\[\]-~]{1,128}"|[A-Za-z0-9._~+/=:-]{1,128})$'
"""A string as RFC 9651 has it, or the bare word that most clients send."""

_KEY = re.compile(PATTERN[1:-1], re.ASCII)

_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))"
_FIND = """
SELECT fingerprint, status, location, etag, body FROM idempotency_keys
WHERE owner = $1 AND key = $2 AND created_at > now() - interval '24 hours'
"""
# One that is older than that and not purged yet gives way.
_KEEP = """
INSERT INTO idempotency_keys (owner, key, fingerprint, status, location, etag, body)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (owner, key) DO UPDATE SET
    fingerprint = excluded.fingerprint, status = excluded.status, location = excluded.location,
    etag = excluded.etag, body = excluded.body, created_at = now()
"""


@dataclass(frozen=True)
class Answer:
    """What a client is told, and is told again.

    Args:
        status: The status.
        location: Where the thing is.
        etag: Its tag then.
        body: The body.
        is_replay: Whether it was told before.
    """

    status: int
    location: str
    etag: str
    body: bytes
    is_replay: bool = False


@dataclass(frozen=True)
class Key:
    """One client's name for one piece of work.

    Args:
        owner: The name of the client's token: others may use the same key for something else.
        text: What the client chose.
        fingerprint: Tells whether it is the same request.
    """

    owner: str
    text: str
    fingerprint: bytes


Work = Callable[[Connection], Awaitable[Answer]]


class _InProgressError(Exception):
    """Another request with the key is being done."""


class Idempotency:
    """Does keyed work once.

    Args:
        database: Where answers are kept, beside what they are about.
        limiter: Who may ask it now.
    """

    def __init__(self, database: DatabasePool, limiter: ConcurrencyLimiter) -> None:
        """Do nothing yet."""
        self._database = database
        self._limiter = limiter
        # Done here: others with the key need not ask PostgreSQL meanwhile.
        self._doing: dict[tuple[str, str], asyncio.Event] = {}
        # Done or not: COMMIT was sent here and not answered. The oldest is the first.
        self._unknown: dict[tuple[str, str], None] = {}

    async def once(self, key: Key, work: Work, done: Callable[[Answer], object]) -> Answer:
        """Return what ``work`` answers, or answered when the key came first.

        Args:
            key: The client's name for it.
            work: The work.
            done: Called with the answer when it is first known to be kept, though nobody may wait
                for it any more: after a COMMIT that was not answered, when it is asked for again.

        Raises:
            Overloaded: There was no turn for it; nothing was done.
            Problem: 422 when the key came with another request, 409 when the first one is not
                done after :data:`WAIT` seconds.
            Exception: Whatever ``work`` raises; the key is free again then.
        """
        end = asyncio.get_running_loop().time() + WAIT
        while True:
            await self._wait_for_others(key, end)
            try:
                with self._doing_it(key):
                    return await self._limiter.execute(self._do, key, work, done)
            except (_InProgressError, OutcomeUnknown) as error:
                # What became of it is in the table, and asking again does no harm.
                self._note(key, error)
                if asyncio.get_running_loop().time() > end:
                    if isinstance(error, OutcomeUnknown):
                        raise
                    raise _in_progress() from error
            await asyncio.sleep(LOOK)

    async def _do(self, key: Key, work: Work, done: Callable[[Answer], object]) -> Answer:
        def known(answer: Answer) -> None:
            was_unknown = (key.owner, key.text) in self._unknown
            self._unknown.pop((key.owner, key.text), None)
            if was_unknown or not answer.is_replay:
                done(answer)

        return await self._database.write(CREATE, lambda each: _once(each, key, work), known)

    def _note(self, key: Key, error: Exception) -> None:
        if isinstance(error, OutcomeUnknown):
            self._unknown[key.owner, key.text] = None
            if len(self._unknown) > UNKNOWN:
                del self._unknown[next(iter(self._unknown))]

    async def _wait_for_others(self, key: Key, end: float) -> None:
        while (event := self._doing.get((key.owner, key.text))) is not None:
            try:
                async with asyncio.timeout_at(end):
                    await event.wait()
            except TimeoutError as error:
                raise _in_progress() from error

    @contextmanager
    def _doing_it(self, key: Key) -> Iterator[None]:
        event = self._doing[key.owner, key.text] = asyncio.Event()
        try:
            yield
        finally:
            del self._doing[key.owner, key.text]
            event.set()


def key_of(request: web.Request) -> str | None:
    """Return the request's key, if it has one.

    Raises:
        Problem: 400 when it is malformed.
    """
    values = request.headers.getall(HEADER, ())
    if not values:
        return None
    if len(values) > 1 or not _KEY.fullmatch(values[0]):
        raise Problem(400, f"{HEADER} takes up to 128 printable characters, best a UUID in quotes.")
    return values[0].strip('"')


def fingerprint(*parts: bytes) -> bytes:
    """Return what tells one request from another."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(4) + part)
    return digest.digest()


async def _once(connection: Connection, key: Key, work: Work) -> Answer:
    alone = await connection.fetchval(_LOCK, f"{key.owner}\n{key.text}")
    kept = await connection.fetchrow(_FIND, key.owner, key.text)
    if kept is not None:
        return _replay(kept, key)
    if not alone:
        raise _InProgressError
    answer = await work(connection)
    await connection.execute(
        _KEEP,
        key.owner,
        key.text,
        key.fingerprint,
        answer.status,
        answer.location,
        answer.etag,
        answer.body,
    )
    return answer


def _replay(kept: Any, key: Key) -> Answer:
    if kept["fingerprint"] != key.fingerprint:
        raise Problem(422, f"This {HEADER} came with another request before.")
    status, location, etag, body = kept[1:]
    return Answer(status, location, etag, body, is_replay=True)


def _in_progress() -> Problem:
    detail = f"A request with this {HEADER} is being done; ask again."
    return Problem(409, detail, {"Retry-After": "1"})
