"""Shortcuts: routes found by the request line and not by searching.

aiohttp's router tries resources one after the other, each in a coroutine, and its application looks
again for what this one has not got. For a path that is fixed, or fixed but for a plain last
segment, all of the outcome but that segment is known in advance. What has another variable, another
spelling of its path, an ``Expect``, or middlewares of aiohttp's goes the long way, which stays
aiohttp's.
"""

import re

from aiohttp import hdrs, web
from aiohttp.web_urldispatcher import (
    AbstractResource,
    AbstractRoute,
    DynamicResource,
    PlainResource,
    UrlMappingMatchInfo,
)

_ANY_SEGMENT = (DynamicResource.GOOD, "[^/]+")
"""What takes a whole segment: aiohttp's own pattern, and the one that takes braces, too."""


class Shortcuts:
    """The routes of one application whose path ends in one variable at most.

    Args:
        app: Set up already; nothing can be added to it.
    """

    def __init__(self, app: web.Application) -> None:
        """Match every such route."""
        self._app = app
        self._fixed: dict[tuple[str, str], UrlMappingMatchInfo] = {}
        # By what stands before the last slash; with the variable's name.
        self._variable: dict[tuple[str, str], tuple[AbstractRoute, str]] = {}
        if app.middlewares or app.router._matched_sub_app_resources:  # noqa: SLF001
            return
        resources = [(each, *_shape(each)) for each in app.router.resources()]
        # Where a resource may take anything, only the router can say who gets what.
        fixed = {path for each, path, name in resources if not name and _takes_any_method(each)}
        variable = {path for each, path, name in resources if name and _takes_any_method(each)}
        variable |= {path.rpartition("/")[0] for path in fixed}
        variable |= {
            path for each, path, name in resources if name is None and _may_fit(each, path)
        }
        for resource, path, name in resources:
            if name is not None and path not in (variable if name else fixed):
                self._add(resource, path, name)

    def find(self, request: web.BaseRequest) -> UrlMappingMatchInfo | None:
        """Return what the router would find, if it is known without asking it."""
        message = request._message  # noqa: SLF001 - as it was sent
        path, _, _ = message.path.partition("?")
        match = self._fixed.get((message.method, path))
        if match is None:
            before, _, segment = path.rpartition("/")
            found = self._variable.get((message.method, before))
            # Nothing is encoded in it, and no dots go up.
            if found is None or not (segment.isalnum() and segment.isascii()):
                return None
            route, variable = found
            match = _Match({variable: segment}, route, self._app)
        return None if hdrs.EXPECT in message.headers else match

    def _add(self, resource: AbstractResource, path: str, variable: str) -> None:
        # The first one that was added is the one that aiohttp finds.
        for route in resource:
            key = route.method, path
            if variable:
                self._variable.setdefault(key, (route, variable))
            elif key not in self._fixed:
                self._fixed[key] = _Match({}, route, self._app)


class _Match(UrlMappingMatchInfo):
    """What aiohttp makes of a route and its variables in four calls: part of one app, and final."""

    __slots__ = ()

    def __init__(self, values: dict[str, str], route: AbstractRoute, app: web.Application) -> None:
        dict.__init__(self, values)
        self._route = route
        self._apps = [app]
        self._current_app = app
        self._frozen = True


def _shape(resource: AbstractResource) -> tuple[str, str | None]:
    """Return a resource's path and its variable, empty if it has none; ``None`` for other shapes.

    Without the variable the path is where the router looks for the resource.
    """
    if isinstance(resource, PlainResource):
        return resource.canonical, ""
    before, _, rest = resource.canonical.partition("{")
    path, slash, begun = before.rpartition("/")
    name = rest.removesuffix("}")
    plain = [f"{re.escape(path + slash)}(?P<{name}>{each})" for each in _ANY_SEGMENT]
    return path, name if _pattern(resource) in plain and not begun else None


def _may_fit(resource: AbstractResource, path: str) -> bool:
    """Return whether a resource of another shape may match a path and one segment after it."""
    pattern = _pattern(resource)
    variables = pattern.count("(?P<")
    plain = sum(pattern.count(f">{each})") for each in _ANY_SEGMENT) == variables > 0
    return not plain or resource.canonical.count("/") == path.count("/") + 1


def _takes_any_method(resource: AbstractResource) -> bool:
    return any(route.method == hdrs.METH_ANY for route in resource)


def _pattern(resource: AbstractResource) -> str:
    pattern = resource.get_info().get("pattern")
    return pattern.pattern if pattern else ""
