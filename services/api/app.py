"""The application: which handler answers which route."""

from aiohttp import web

from api import greeting
from api.status import Status
from api.users import UserRoutes

MAX_BODY = 64 * 1024
"""Bytes of a request's body; the smallest that the api needs."""


def application(status: Status, users: UserRoutes) -> web.Application:
    """Return the application."""
    app = web.Application(client_max_size=MAX_BODY)
    app.add_routes(
        [
            web.get("/", greeting.greet_world),
            web.get("/health", status.health),
            web.get("/version", status.version),
            web.get("/users", users.list),
            web.get("/users/{id:[^/]+}", users.get),
            # aiohttp's own pattern for a segment leaves braces out.
            web.get("/{name:[^/]+}", greeting.greet),
        ]
    )
    return app
