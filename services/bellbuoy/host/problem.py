"""Errors as RFC 9457 problem details."""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from aiohttp import web

CONTENT_TYPE = "application/problem+json"


def problem(
    status: int, detail: str, headers: Mapping[str, str] | None = None, **members: object
) -> web.Response:
    """Return a response that says what went wrong, without internals.

    Args:
        status: The HTTP status; its phrase is the title.
        detail: One sentence about this occurrence.
        headers: Further headers, such as ``Retry-After``.
        members: Extension members.
    """
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **members}
    return web.Response(
        status=status,
        body=msgspec.json.encode(body) + b"\n",
        content_type=CONTENT_TYPE,
        headers=headers,
    )
