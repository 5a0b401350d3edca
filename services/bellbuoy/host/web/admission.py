"""Admission: what aiohttp's parser lets pass and HTTP does not.

Law of this file: it costs next to nothing for a request that is in order; what is refused here
ends the connection, because who sent it may understand its framing differently.
"""

import re
from functools import lru_cache

from aiohttp import hdrs, web
from aiohttp.http import HttpVersion10, HttpVersion11
from aiohttp.streams import EMPTY_PAYLOAD

from bellbuoy.host.web.problem import Problem

_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+;=%-]+)(?::[0-9]{0,5})?", re.ASCII)
_ABSOLUTE = re.compile(r"https?://([^/?#@]+)(?:[/?][^#]*)?", re.ASCII | re.IGNORECASE)

METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"


class Inadmissible(Problem):
    """The request is answered, and nothing more is read from its connection."""


def admit(request: web.BaseRequest) -> None:
    """Return if the request is one that HTTP/1.1 knows and this server serves.

    Raises:
        Inadmissible: 400, 405, 413 or 415.
    """
    headers, target = request.headers, request._message.path  # noqa: SLF001 - as it was sent
    # Its public face remembers what it said first.
    if request._version is not HttpVersion11:  # noqa: SLF001
        _admit_version(request)
    if target[0] != "/" or "#" in target:
        _admit_target(request, target)
    elif request.method == "CONNECT":
        raise Inadmissible(405, "This is no proxy.", {"Allow": METHODS})
    host = headers.get(hdrs.HOST)
    if host is not None and not is_host(host):
        raise Inadmissible(400, "The Host field names no host.")
    coding = headers.get(hdrs.TRANSFER_ENCODING)
    if coding is not None and coding.strip().lower() != "chunked":
        raise Inadmissible(400, "The only transfer coding known here is chunked.")
    if request._payload is not EMPTY_PAYLOAD:  # noqa: SLF001 - its public face computes more
        _admit_body(request)


def _admit_version(request: web.BaseRequest) -> None:
    if request._version != HttpVersion10:  # noqa: SLF001
        # The answer is in the version that we speak, not in the one that was asked for.
        request._version = HttpVersion11  # noqa: SLF001
        raise Inadmissible(400, "This server speaks HTTP/1.1.")
    if "Transfer-Encoding" in request.headers:
        raise Inadmissible(400, "HTTP/1.0 has no transfer codings (RFC 9112, section 6.1).")


def _admit_target(request: web.BaseRequest, target: str) -> None:
    """Take the other forms of a target (RFC 9112, section 3.2)."""
    if request.method == "CONNECT":
        raise Inadmissible(405, "This is no proxy.", {"Allow": METHODS})
    if target == "*" and request.method == "OPTIONS":
        return
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or not is_host(absolute[1]):
        raise Inadmissible(400, "The request target is none that RFC 9112 knows.")
    if not request._rel_url.raw_path:  # noqa: SLF001 - aiohttp leaves it empty and finds nothing
        request._rel_url = request._rel_url.with_path("/", keep_query=True)  # noqa: SLF001


def _admit_body(request: web.BaseRequest) -> None:
    # Before anybody waits for the body, or says 100 Continue.
    if (request.content_length or 0) > (most := request._client_max_size) > 0:  # noqa: SLF001
        raise Inadmissible(413, f"A request's body has {most} bytes at most.")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Inadmissible(
            415,
            "Request bodies are taken as they are, not encoded.",
            {"Accept-Encoding": "identity"},
        )


def is_last(request: web.BaseRequest) -> bool:
    """Return whether no request may follow on the connection, though this one is in order.

    aiohttp 3.14 takes the fields of a chunked body's trailer for fields of the next request, which
    may be somebody else's behind a proxy; and it drops what follows, in the same packet, a request
    to upgrade to what it does not know.
    """
    message = request._message  # noqa: SLF001
    return bool(message.chunked or message.upgrade)


@lru_cache(maxsize=1024)
def is_host(text: str) -> bool:
    """Return whether a text is a host, and perhaps a port (RFC 9110, section 7.2)."""
    return _HOST.fullmatch(text) is not None
