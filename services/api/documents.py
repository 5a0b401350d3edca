"""Documents: the api's description of itself, and a page to read it with.

The page is Swagger UI, kept in ``vendor/`` as its makers ship it, so that it works without the
internet; its policy lets it load nothing from elsewhere.
"""

import hashlib
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import web

from api import etag
from api.openapi import document
from api.route import Route
from bellbuoy import __version__
from bellbuoy.host.web import Problem

VENDOR = Path(__file__).with_name("vendor") / "swagger-ui"
VERSION: Final = (VENDOR / "VERSION").read_text().strip()

_FILES = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "LICENSE": "text/plain; charset=utf-8",
    "NOTICE": "text/plain; charset=utf-8",
}
_START = b"""\
"use strict";
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#page",
  deepLinking: true,
  displayRequestDuration: true,
  validatorUrl: null,
});
"""
_PAGE = f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Bellbuoy api</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css?v={VERSION}">
</head>
<body>
<main id="page"></main>
<script src="/docs/swagger-ui-bundle.js?v={VERSION}"></script>
<script src="/docs/start.js"></script>
</body>
</html>
""".encode()
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_SAFE = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Documents:
    """Answers ``/openapi.json`` and ``/docs``.

    Raises:
        OSError: What is vendored is not there.
    """

    def __init__(self) -> None:
        """Read the files, before workers are forked, so that they share them."""
        self._files = {name: (VENDOR / name).read_bytes() for name in _FILES}
        self._document = b"{}\n"

    def describe(self, routes: tuple[Route, ...]) -> None:
        """Write the document of these routes."""
        content = msgspec.json.encode(document(routes, __version__))
        self._document = msgspec.json.format(content, indent=1) + b"\n"

    async def openapi(self, request: web.Request) -> web.Response:
        """Answer the document."""
        tag = _tag(self._document)
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if etag.is_known(request, tag):
            return web.Response(status=304, headers=headers)
        headers["Content-Type"] = "application/json"
        return web.Response(body=self._document, headers=headers)

    async def page(self, _: web.Request) -> web.Response:
        """Answer the page."""
        headers = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-cache"}
        return web.Response(body=_PAGE, headers=headers | _SAFE)

    async def file(self, request: web.Request) -> web.Response:
        """Answer one of the page's files."""
        name = request.match_info["file"]
        if name == "start.js":
            return _file(_START, _FILES["swagger-ui-bundle.js"], "no-cache")
        if name not in self._files:
            raise Problem(404, "The page has no such file.")
        # The page names the version, so what a browser has of it never changes.
        is_named = request.query_string == f"v={VERSION}"
        cache = "public, max-age=31536000, immutable" if is_named else "no-cache"
        return _file(self._files[name], _FILES[name], cache)


def _file(body: bytes, kind: str, cache: str) -> web.Response:
    return web.Response(body=body, headers={"Content-Type": kind, "Cache-Control": cache} | _SAFE)


def _tag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'
