"""The guard of the admin port: who may read, and who may write.

Law of this file: whoever reaches the port may read, unless a web page does it for them; nobody
writes without the admin token.

A page that a person has open in a browser can reach what the browser reaches: loopback, the
office, a VPN. Three of its ways are closed. It may send requests here: those carry ``Origin`` or
``Sec-Fetch-Site``. Its own name may begin to mean our address (DNS rebinding), and the browser
takes us for its origin: then ``Host`` is that name. It may show us in a frame: headers forbid it.
What no browser sends, such as a request without ``Host``, is no such attack.
"""

import hmac
import ipaddress
import re
from collections.abc import Iterable, Mapping

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from bellbuoy.host.web import Problem

SAFE = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})
"""Methods that change nothing."""

PRIVATE = ("localhost", "test", "local", "home.arpa", "internal", "svc")
"""Top-level names that nobody can register, so that no page can have one: RFC 6761, 6762 (that of
``cluster.local``, too) and 8375, ``internal`` as ICANN reserved it, and Kubernetes' short form."""

CLOSED = "Writing is switched off here: name a file with a token in BUOY_ADMIN_TOKEN_FILE."

HEADERS = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
"""On every answer to a request, refusals too, unless its handler knows better."""

_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?", re.ASCII)


class Guard:
    """Lets a request pass or refuses it.

    Args:
        names: Host names by which the port is reached, beside addresses, names of one label (a
            compose service, a pod) and :data:`PRIVATE` ones.
        token: What a writer must know; ``None`` refuses every write.
    """

    def __init__(self, names: Iterable[str] = (), token: str | None = None) -> None:
        """Know the names and the token."""
        self._names = frozenset(name.lower().rstrip(".") for name in names)
        self._token = None if token is None else token.encode()

    def check(self, method: str, headers: Mapping[str, str]) -> None:
        """Let a request pass.

        Raises:
            Problem: 421 for a wrong ``Host``, 403 for another origin and where nothing may be
                written, 401 for a wrong token.
        """
        host = headers.get(hdrs.HOST, "")
        if host and not self._is_ours(host):
            raise Problem(421, "This is not the host that was asked for (BUOY_ADMIN_NAMES).")
        if _is_foreign(host, headers):
            raise Problem(403, "A web page of another origin may neither read nor write here.")
        if method not in SAFE:
            self._require_token(headers)

    def _is_ours(self, host: str) -> bool:
        matched = _AUTHORITY.fullmatch(host)
        if not matched:
            return False
        name = matched[1].lower().rstrip(".")
        if name in self._names or "." not in name.strip("[]"):
            return True
        return name.endswith(tuple(f".{top}" for top in PRIVATE)) or _is_address(name)

    def _require_token(self, headers: Mapping[str, str]) -> None:
        if self._token is None:
            raise Problem(403, CLOSED)
        scheme, _, given = headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        # Surrogates stand for bytes that are no text; encoded like this they match no token.
        known = hmac.compare_digest(given.strip().encode(errors="replace"), self._token)
        if scheme.lower() != "bearer" or not known:
            raise Problem(
                401, "The admin token is missing or wrong.", {hdrs.WWW_AUTHENTICATE: "Bearer"}
            )


def guarded(guard: Guard) -> Middleware:
    """Return an aiohttp middleware that has every request checked first."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if len(request.headers.getall(hdrs.HOST, ())) > 1:
            raise Problem(400, "There is more than one Host.")
        # What cannot be written is answered with 404 or 405, as that helps more.
        exists = request.match_info.http_exception is None
        guard.check(request.method if exists else hdrs.METH_GET, request.headers)
        return await handler(request)

    return middleware


async def seal(_: web.Request, response: web.StreamResponse) -> None:
    """Put on an answer what closes it to web pages; for aiohttp's ``on_response_prepare``."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


def _is_foreign(host: str, headers: Mapping[str, str]) -> bool:
    """Return whether a page of another origin sent this, or a person followed no mere link."""
    origin = headers.get(hdrs.ORIGIN)
    if origin is not None:
        return origin.lower() not in {f"http://{host.lower()}", f"https://{host.lower()}"}
    site = headers.get("Sec-Fetch-Site", "none")
    link = headers.get("Sec-Fetch-Mode") == "navigate", headers.get("Sec-Fetch-Dest") == "document"
    return site not in {"none", "same-origin"} and not all(link)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
