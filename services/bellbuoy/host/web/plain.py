"""Plain answers: the short way onto the wire for what nearly every answer is.

aiohttp prepares a response in ten coroutines, because it may be a stream, compressed, chunked, in
another version or without a body. One of which nothing special was asked, and whose connection goes
on, is written here in one piece; what is written is what aiohttp would write. Any other answer goes
the long way, which stays aiohttp's.
"""

from typing import Any

from aiohttp import hdrs, web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import HttpVersion11
from aiohttp.http_writer import _serialize_headers

from bellbuoy.host.web.answer import OPTIONS, SERVER
from bellbuoy.host.web.identity import REQUEST_ID

MOST_COPIED = 64 * 1024
"""Bytes of a body that are worth a copy; a longer one is written by itself, so that on uvloop it is
in memory once, however many clients are slow to read it."""

_BODILESS = frozenset({204, 205, 304})

_OURS = (
    hdrs.CONTENT_LENGTH,
    hdrs.DATE,
    hdrs.CONNECTION,
    hdrs.TRANSFER_ENCODING,
    hdrs.SERVER,
    OPTIONS,
    REQUEST_ID,
)


def serialize(
    request: web.BaseRequest, response: web.StreamResponse, request_id: str
) -> bytes | None:
    """Return an answer as it goes onto the wire, signed; ``None`` if it is not a plain one.

    It ends before its body if that is longer than :data:`MOST_COPIED`. The response is marked as
    sent.

    Raises:
        ValueError: A header has the end of a line in it.
    """
    if not _is_plain(request, response):
        return None
    body: Any = response._body  # noqa: SLF001 - bytes, by now
    headers = response._headers  # noqa: SLF001
    for name in _OURS:
        if name in headers:
            return None
    head = _serialize_headers(f"HTTP/1.1 {response._status} {response._reason}", headers)  # noqa: SLF001
    rest = (
        f"Content-Length: {len(body)}\r\n"
        f"Date: {rfc822_formatted_time()}\r\n"
        f"X-Request-Id: {request_id}\r\n"
        f"Server: {SERVER}\r\n"
        f"X-Content-Type-Options: nosniff\r\n\r\n"
    )
    response._eof_sent = response._keep_alive = True  # noqa: SLF001
    return b"".join((head[:-2], rest.encode(), body if len(body) <= MOST_COPIED else b""))


def _is_plain(request: web.BaseRequest, response: web.StreamResponse) -> bool:
    # What its properties would read, without their calls.
    message = request._message  # noqa: SLF001
    return (
        type(response) is web.Response
        and type(response._body) is bytes  # noqa: SLF001
        and response._keep_alive is None  # noqa: SLF001
        and response._payload_writer is None  # noqa: SLF001
        and not response._eof_sent  # noqa: SLF001
        and not response._chunked  # noqa: SLF001
        and not response._compression  # noqa: SLF001
        and not response._cookies  # noqa: SLF001
        and response._status not in _BODILESS  # noqa: SLF001
        and response._status >= 200  # noqa: SLF001, PLR2004
        and hdrs.CONTENT_TYPE in response._headers  # noqa: SLF001
        and message.version is HttpVersion11
        and not message.should_close
        and message.method != hdrs.METH_HEAD
        and not _is_watched(request)
    )


def _is_watched(request: web.BaseRequest) -> bool:
    """Return whether an application wants to see its answers before they go."""
    match = getattr(request, "_match_info", None)
    if match is not None:
        for app in match._apps:  # noqa: SLF001
            if app.on_response_prepare:
                return True
    return False
