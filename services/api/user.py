"""The shapes of a user: what a client sends and what it gets.

Law of this file: nothing is written twice. These types validate requests, write answers, and are
the schemas of the OpenAPI document; their patterns mean the same to Python and to ECMAScript.
"""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

MAX_ID = (1 << 63) - 1
"""The greatest number that the column takes."""

Id = Annotated[int, Meta(ge=1, le=MAX_ID, description="Given by the api.", examples=[1])]

Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        # No control characters, and no space in front. Python's $ takes a newline before the end.
        pattern=r"^[^\x00-\x20\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$(?!\n)",
        description="Any text on one line; it does not begin with a space.",
        examples=["Ada Lovelace"],
    ),
]

Email = Annotated[
    str,
    Meta(
        min_length=3,
        max_length=254,
        # What browsers take for an address (WHATWG HTML, valid e-mail address).
        pattern=r"^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
        r"(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$(?!\n)",
        description="An e-mail address; nobody else has it, in capitals or not.",
        examples=["ada@example.com"],
    ),
]


Moment = Annotated[
    str,
    Meta(
        description="A time in UTC (RFC 3339).",
        extra_json_schema={"format": "date-time"},
        examples=["2026-02-03T04:05:06.000007Z"],
    ),
]


class User(msgspec.Struct, frozen=True):
    """One user; the fields are the columns, in their order."""

    id: Id
    name: Name
    email: Email
    created_at: Moment
    updated_at: Moment
    version: Annotated[int, Meta(ge=1, description="Grows with each change; it is the ETag.")]


class NewUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user is made of; also what replaces one."""

    name: Name
    email: Email


class UserPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A merge patch (RFC 7396): what is there replaces, what is absent stays.

    Neither member can be removed, so ``null`` is refused.
    """

    name: Name | UnsetType = UNSET
    email: Email | UnsetType = UNSET


class Page(msgspec.Struct, frozen=True):
    """Some users, by rising id; ``next`` leads on, and is null on the last page."""

    users: list[User]
    next: str | None
