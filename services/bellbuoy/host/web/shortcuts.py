"""Shortcuts: routes whose whole path is fixed, found by the request line and not by searching.

aiohttp's router tries resources one after the other and makes a match for each request, and its
application looks again for what this one has not got. For a path that names nothing both always end
alike, so they are done once, in advance. What has a variable, a query, another spelling of its
path, an ``Expect``, or middlewares of aiohttp's goes the long way, which stays aiohttp's.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from aiohttp import hdrs, web
from aiohttp.web_urldispatcher import PlainResource, UrlMappingMatchInfo

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Shortcut(NamedTuple):
    """What answers a request, and what the router would say."""

    handler: Handler
    match: UrlMappingMatchInfo


class Shortcuts:
    """The fixed routes of one application.

    Args:
        app: Set up already; nothing can be added to it.
    """

    def __init__(self, app: web.Application) -> None:
        """Match every route that has no variable."""
        self._found: dict[tuple[str, str], Shortcut] = {}
        if app.middlewares or app.router._matched_sub_app_resources:  # noqa: SLF001
            return
        for resource in app.router.resources():
            if isinstance(resource, PlainResource):
                for route in resource:
                    match = UrlMappingMatchInfo({}, route)
                    match.add_app(app)
                    match.freeze()
                    # The first one that was added is the one that aiohttp finds.
                    key = (route.method, resource.canonical)
                    self._found.setdefault(key, Shortcut(match.handler, match))

    def find(self, request: web.BaseRequest) -> Shortcut | None:
        """Return what the router would find, if it is known without asking it."""
        message = request._message  # noqa: SLF001 - as it was sent
        shortcut = self._found.get((message.method, message.path))
        if shortcut is None or hdrs.EXPECT in message.headers:
            return None
        return shortcut
