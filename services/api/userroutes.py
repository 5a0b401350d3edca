"""The users' routes: from a request to an answer.

Law of this file: what is wrong with a request is said before PostgreSQL is asked: the condition,
then the body.
"""

import hashlib
from typing import Final

import msgspec
from aiohttp import hdrs, web

from api import cursor, etag, idempotency
from api.body import BodyReader
from api.guard import OWNER
from api.idempotency import Answer, Idempotency, Key
from api.query import parameters, parse_email, parse_id, parse_limit
from api.user import NewUser, Page, User, UserPatch
from api.users import CREATE, Users, insert, nobody, translate
from bellbuoy.database import Connection
from bellbuoy.errors import ConstraintViolated
from bellbuoy.instruments import Counter
from bellbuoy.metrics import counter

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"

CREATED = counter("users_created_total", "Users that were created.")

# The answer is this client's, and to be asked for again with its tag.
_CACHE = "private, no-cache"
_encode = msgspec.json.Encoder().encode


class UserRoutes:
    """Answers ``/users`` and ``/users/{id}``.

    Args:
        users: The users.
        keys: The requests that came with a key.
        created: Counts new users.
    """

    def __init__(self, users: Users, keys: Idempotency, created: Counter) -> None:
        """Answer nothing yet."""
        self._users = users
        self._keys = keys
        self._created = created
        self.new = BodyReader(JSON, NewUser)
        self.merge_patch = BodyReader(MERGE_PATCH, UserPatch)

    async def get(self, request: web.Request) -> web.Response:
        """Answer one user."""
        user_id = parse_id(request.match_info["id"])
        user = await self._users.get(user_id) if user_id else None
        if user is None:
            raise nobody()
        tag = etag.of_version(user.version)
        if etag.is_known(request, tag):
            return _not_modified(tag)
        return _answer(_encode(user), tag)

    async def list(self, request: web.Request) -> web.Response:
        """Answer one page of users, or the one with an address."""
        given = parameters(request, "limit", "after", "email")
        limit, after = parse_limit(given.get("limit")), cursor.decode(given.get("after"))
        if "email" in given:
            page = await self._users.find(parse_email(given["email"]), after)
        else:
            page = await self._users.list(after, limit)
        tag = _page_tag(page)
        return _not_modified(tag) if etag.is_known(request, tag) else _answer(_encode(page), tag)

    async def create(self, request: web.Request) -> web.Response:
        """Add a user, once for each key."""
        etag.require_addition(request)
        key = idempotency.key_of(request)
        new = await self.new.read(request)
        if key is None:
            answer = _created(await self._users.create(new, self._count))
        else:
            fingerprint = idempotency.fingerprint(b"POST /users", _encode(new))
            answer = await self._once(Key(request[OWNER], key, fingerprint), new)
        response = _answer(answer.body[:-1], answer.etag, answer.status)
        response.headers["Location"] = answer.location
        if answer.is_replay:
            response.headers["Idempotency-Replayed"] = "true"
        return response

    async def replace(self, request: web.Request) -> web.Response:
        """Give a user new contents."""
        user_id, versions = parse_id(request.match_info["id"]), etag.required(request)
        return await self._update(user_id, versions, await self.new.read(request))

    async def patch(self, request: web.Request) -> web.Response:
        """Change part of a user."""
        user_id, versions = parse_id(request.match_info["id"]), etag.required(request)
        return await self._update(user_id, versions, await self.merge_patch.read(request))

    async def delete(self, request: web.Request) -> web.Response:
        """Remove a user."""
        user_id, versions = parse_id(request.match_info["id"]), etag.required(request)
        if user_id is None:
            raise nobody()
        # It says nothing, but if it turns out broken, nothing shall have been done.
        await request.read()
        await self._users.delete(user_id, versions)
        return web.Response(status=204)

    async def _update(
        self, user_id: int | None, versions: etag.Versions, new: NewUser | UserPatch
    ) -> web.Response:
        if user_id is None:
            raise nobody()
        user = await self._users.update(user_id, versions, new)
        return _answer(_encode(user), etag.of_version(user.version))

    def _count(self, _: object) -> None:
        """Count what was created, when it is: its client may have left before."""
        self._created.inc()

    async def _once(self, key: Key, new: NewUser) -> Answer:
        async def work(connection: Connection) -> Answer:
            return _created(await insert(connection, new))

        with self._users.monitor.span(CREATE):
            try:
                return await self._keys.once(key, work, self._count)
            except ConstraintViolated as error:
                raise translate(error) from error


def _page_tag(page: Page) -> str:
    """Return the tag of a page: who is on it, in which version. A tenth of what it says."""
    marks = _encode(([(user.id, user.version) for user in page.users], page.next))
    return f'"{hashlib.sha256(marks).hexdigest()[:32]}"'


def _created(user: User) -> Answer:
    body = _encode(user) + b"\n"
    return Answer(201, f"/users/{user.id}", etag.of_version(user.version), body)


def _answer(body: bytes, tag: str, status: int = 200) -> web.Response:
    headers = {hdrs.CONTENT_TYPE: JSON, hdrs.CACHE_CONTROL: _CACHE, hdrs.ETAG: tag}
    return web.Response(body=body + b"\n", status=status, headers=headers)


def _not_modified(tag: str) -> web.Response:
    return web.Response(status=304, headers={"Cache-Control": _CACHE, "ETag": tag})
