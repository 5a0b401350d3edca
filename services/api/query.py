"""Queries: what a URL says, with one spelling for each value.

Law of this file: nothing passes that PostgreSQL could refuse to parse.
"""

import re
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from api.user import MAX_ID, Email
from bellbuoy.host.web import Problem

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
"""Users on one page."""

Limit = Annotated[int, Meta(ge=1, le=MAX_LIMIT, extra_json_schema={"default": DEFAULT_LIMIT})]

_NUMBER = re.compile(r"0|[1-9][0-9]*", re.ASCII)
_DIGITS = len(str(MAX_ID))


def parse_id(text: str) -> int | None:
    """Return the id that a path segment spells; ``None`` if no user can have it.

    Raises:
        Problem: It is not a whole number, in its one spelling.
    """
    if not _NUMBER.fullmatch(text):
        raise Problem(400, "A user's id is a whole number.")
    # The length first: Python refuses to convert thousands of digits.
    number = int(text) if len(text) <= _DIGITS else 0
    return number if 0 < number <= MAX_ID else None


def parse_limit(text: str | None) -> int:
    """Return how many users a page shall have.

    Raises:
        Problem: It is not a whole number from 1 to :data:`MAX_LIMIT`.
    """
    if text is None:
        return DEFAULT_LIMIT
    number = int(text) if _NUMBER.fullmatch(text) and len(text) <= _DIGITS else 0
    if not 0 < number <= MAX_LIMIT:
        raise Problem(400, f"limit is a whole number from 1 to {MAX_LIMIT}.")
    return number


def parse_email(text: str) -> str:
    """Return an address to look for.

    Raises:
        Problem: It is none.
    """
    try:
        return msgspec.convert(text, Email)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise Problem(400, "email is not an e-mail address.") from error


def parameters(request: web.Request, *known: str) -> dict[str, str]:
    """Return the query's parameters.

    Raises:
        Problem: There is one that is not ``known``, or one twice. A misspelt limit would otherwise
            go unnoticed.
    """
    found: dict[str, str] = {}
    if not request.query_string:
        return found
    for name, value in request.query.items():
        if name not in known:
            raise Problem(400, f"The parameters taken here are {', '.join(known)}.")
        if name in found:
            raise Problem(400, f"{name} may be given once.")
        found[name] = value
    return found
