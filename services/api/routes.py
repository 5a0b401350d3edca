"""The table of routes: each stands here once, for the router and for the OpenAPI document."""

from typing import Annotated

from msgspec import Meta

from api import cursor, etag, greeting, idempotency
from api.auth import READ, WRITE
from api.documents import Documents
from api.query import Limit
from api.route import JSON, Answer, Parameter, Route
from api.status import Health, Status, Version
from api.user import Email, Id, Page, User
from api.userroutes import UserRoutes

_TEXT = "text/plain"
_TAGGED = ("ETag", "Cache-Control")
_LIMITED = ("RateLimit", "RateLimit-Policy")

_ID = Parameter("id", "path", Id, "The user's id.", required=True, example=1)
_Condition = Annotated[str, Meta(pattern=etag.PATTERN)]
_IF_NONE_MATCH = Parameter(
    "If-None-Match", "header", str, "Tags that the client has already.", example='"0"'
)
_IF_MATCH = Parameter(
    "If-Match",
    "header",
    _Condition,
    "Which version is meant: its ETag, or * for any.",
    required=True,
    example="*",
)
_UNLESS = Parameter(
    "If-None-Match",
    "header",
    _Condition,
    "Which versions are not meant; * leaves none.",
    example='"0"',
)
_KEY = Parameter(
    "Idempotency-Key",
    "header",
    Annotated[str, Meta(pattern=idempotency.PATTERN)],
    "A client's own name for this request, best a UUID. It is done once; the same answer comes "
    "for 24 hours.",
)

_HERE = {"id": "$response.body#/id"}
_VERSION = {**_HERE, "header.If-Match": "$response.header.ETag"}
_NEXT = {
    "getUser": _HERE,
    "replaceUser": _VERSION,
    "patchUser": _VERSION,
    "deleteUser": _VERSION,
}
_GONE = "There is no user with this id."
_GREETED = "Too many requests; by default greetings have no limit."
_UNAVAILABLE = {503: "The database cannot do it now; the answer says when to come back."}
_UNWRITTEN = {
    503: "The database cannot do it now, and the answer says when to come back; or, if it does not "
    "say so, it is not known whether this was done."
}
_CHANGED = {
    404: _GONE,
    409: "Another user has this e-mail address.",
    412: "The user has another version.",
    428: "The request does not say which version it means.",
    **_UNWRITTEN,
}


def table(status: Status, users: UserRoutes, documents: Documents) -> tuple[Route, ...]:
    """Return every route of the api."""
    return (*_users(users), *_about(status, documents), *_greetings())


def _users(users: UserRoutes) -> tuple[Route, ...]:
    limit = Parameter("limit", "query", Limit, "How many users at most.")
    after = Parameter(
        "after",
        "query",
        Annotated[str, Meta(pattern=cursor.PATTERN)],
        "The page before's `next`.",
    )
    email = Parameter("email", "query", Email, "Whose address it is.")
    one = Answer(200, "The user.", User, headers=(*_TAGGED, *_LIMITED))
    known = Answer(304, "The client has this already.", headers=_TAGGED)
    return (
        Route(
            "GET",
            "/users",
            users.list,
            "listUsers",
            "One page of users by rising id, or the one with an address",
            (
                Answer(
                    200,
                    "The page.",
                    Page,
                    headers=(*_TAGGED, *_LIMITED),
                    links={"getUser": {"id": "$response.body#/users/0/id"}},
                ),
                known,
            ),
            problems={400: "A parameter is wrong.", **_UNAVAILABLE},
            scope=READ,
            parameters=(limit, after, email, _IF_NONE_MATCH),
        ),
        Route(
            "POST",
            "/users",
            users.create,
            "createUser",
            "Add a user",
            (
                Answer(
                    201,
                    "The user, as it was created.",
                    User,
                    headers=(*_TAGGED, "Location", "Idempotency-Replayed", *_LIMITED),
                    links=_NEXT,
                ),
            ),
            problems={
                409: "The address is another user's, or a request with the key is being done.",
                412: "A condition is not true of the list, which is there and has no tag.",
                **_UNWRITTEN,
            },
            scope=WRITE,
            parameters=(_KEY,),
            body=users.new,
        ),
        Route(
            "GET",
            "/users/{id}",
            users.get,
            "getUser",
            "One user",
            (one, known),
            problems={400: "This is no id.", 404: _GONE, **_UNAVAILABLE},
            scope=READ,
            parameters=(_ID, _IF_NONE_MATCH),
        ),
        Route(
            "PUT",
            "/users/{id}",
            users.replace,
            "replaceUser",
            "Give a user new contents",
            (Answer(200, "The user, as it is now.", User, headers=one.headers, links=_NEXT),),
            problems=_CHANGED,
            scope=WRITE,
            parameters=(_ID, _IF_MATCH, _UNLESS),
            body=users.new,
        ),
        Route(
            "PATCH",
            "/users/{id}",
            users.patch,
            "patchUser",
            "Change part of a user (RFC 7396)",
            (Answer(200, "The user, as it is now.", User, headers=one.headers, links=_NEXT),),
            problems=_CHANGED,
            scope=WRITE,
            parameters=(_ID, _IF_MATCH, _UNLESS),
            body=users.merge_patch,
        ),
        Route(
            "DELETE",
            "/users/{id}",
            users.delete,
            "deleteUser",
            "Remove a user",
            (Answer(204, "The user is gone.", headers=_LIMITED),),
            problems={
                status: text
                for status, text in _CHANGED.items()
                if status != 409  # noqa: PLR2004
            }
            | {400: "This is no id, or no tag."},
            scope=WRITE,
            parameters=(_ID, _IF_MATCH, _UNLESS),
        ),
    )


def _about(status: Status, documents: Documents) -> tuple[Route, ...]:
    return (
        Route(
            "GET",
            "/health",
            status.health,
            "getHealth",
            "Whether to go on sending requests here",
            (
                Answer(200, "Go on.", Health),
                Answer(503, "It is about to stop; go elsewhere.", Health),
            ),
        ),
        Route(
            "GET",
            "/version",
            status.version,
            "getVersion",
            "Which release this is",
            (Answer(200, "The release.", Version),),
        ),
        Route(
            "GET",
            "/openapi.json",
            documents.openapi,
            "getOpenApi",
            "This document",
            (
                Answer(200, "The document.", dict, JSON, _TAGGED),
                Answer(304, "The client has it already.", headers=_TAGGED),
            ),
            parameters=(_IF_NONE_MATCH,),
        ),
        Route(
            "GET",
            "/docs",
            documents.page,
            "getDocs",
            "A page to read and try this document",
            (Answer(200, "The page.", str, "text/html"),),
        ),
        Route(
            "GET",
            "/docs/{file}",
            documents.file,
            "getDocsFile",
            "What the page consists of",
            (Answer(200, "The file.", str, "*/*"),),
            problems={404: "The page has no such file."},
            parameters=(
                Parameter(
                    "file",
                    "path",
                    Annotated[str, Meta(min_length=1)],
                    "Its name.",
                    required=True,
                    example="LICENSE",
                ),
            ),
        ),
    )


def _greetings() -> tuple[Route, ...]:
    name = Parameter("name", "path", greeting.Name, "Whom to greet.", required=True, example="Ada")
    return (
        Route(
            "GET",
            "/",
            greeting.greet_world,
            "greetWorld",
            "Greet the world",
            (Answer(200, "The greeting.", str, _TEXT),),
            problems={429: _GREETED},
            is_greeting=True,
        ),
        Route(
            "GET",
            "/{name}",
            greeting.greet,
            "greet",
            "Greet somebody",
            (Answer(200, "The greeting.", str, _TEXT),),
            problems={
                400: "The name is not text without control characters.",
                414: "The name is too long.",
                429: _GREETED,
            },
            parameters=(name,),
            is_greeting=True,
        ),
    )
