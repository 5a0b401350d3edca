"""The greeting: what the api says to anybody."""

import re
from typing import Annotated
from urllib.parse import unquote_to_bytes

from aiohttp import hdrs, web
from msgspec import Meta
from multidict import CIMultiDict

from bellbuoy.host.web import Problem

MAX_NAME = 128
"""Characters of a name."""

Name = Annotated[
    str, Meta(min_length=1, max_length=MAX_NAME, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$(?!\n)")
]
"""A name, as the OpenAPI document shows it."""

_HEADERS = CIMultiDict({hdrs.CONTENT_TYPE: "text/plain; charset=utf-8"})
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


async def greet_world(_: web.Request) -> web.Response:
    """Answer ``GET /``."""
    return _text("Hello, World!")


async def greet(request: web.Request) -> web.Response:
    """Answer ``GET /{name}``."""
    return _text(f"Hello, {decode_name(request.rel_url.raw_path[1:])}!")


def decode_name(segment: str) -> str:
    """Return the name that a path segment spells.

    Args:
        segment: As it came, percent-encoded.

    Raises:
        Problem: It is too long, or not UTF-8 text without control characters.
    """
    if "%" not in segment:
        name = segment
    elif _BROKEN_ESCAPE.search(segment):
        raise Problem(400, "The name has a % that begins no percent-encoding.")
    else:
        try:
            name = unquote_to_bytes(segment).decode()
        except UnicodeDecodeError as error:
            raise Problem(400, "The name is not percent-encoded UTF-8.") from error
    if len(name) > MAX_NAME:
        raise Problem(414, f"The name is longer than {MAX_NAME} characters.")
    if _CONTROL.search(name):
        raise Problem(400, "The name has control characters.")
    return name


def _text(text: str) -> web.Response:
    return web.Response(body=text.encode(), headers=_HEADERS)
