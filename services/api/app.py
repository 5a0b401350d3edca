"""The application: the table of routes, registered."""

from collections.abc import Iterable

from aiohttp import web
from aiohttp.typedefs import Handler

from api.guard import Guard
from api.route import Route
from api.userroutes import MERGE_PATCH

MAX_BODY = 64 * 1024
"""Bytes of a request's body; the smallest that the api needs."""


def application(routes: Iterable[Route], guard: Guard) -> web.Application:
    """Return the application; what comes first in the table is tried first."""
    app = web.Application(client_max_size=MAX_BODY)
    paths: dict[str, list[Route]] = {}
    for route in routes:
        paths.setdefault(route.pattern, []).append(route)
    for pattern, here in paths.items():
        resource = app.router.add_resource(pattern)
        allowed = ["OPTIONS"]
        for route in here:
            handler = _guarded(route, guard)
            for method in route.methods:
                resource.add_route(method, handler)
                allowed.append(method)
        resource.add_route("OPTIONS", _options(allowed))
    return app


def _guarded(route: Route, guard: Guard) -> Handler:
    if route.scope is not None:
        return guard.protect(route.handler, route.scope)
    return guard.limit(route.handler) if route.is_greeting else route.handler


def _options(allowed: list[str]) -> Handler:
    headers = {"Allow": ",".join(sorted(allowed))}
    if "PATCH" in allowed:
        headers["Accept-Patch"] = MERGE_PATCH

    async def options(_: web.Request) -> web.Response:
        return web.Response(status=204, headers=headers)

    return options
