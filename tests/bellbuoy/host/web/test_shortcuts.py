"""Shortcuts find what aiohttp's router would find, and leave to it whatever is not plain."""

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from bellbuoy.host.web.shortcuts import Shortcuts


async def first(_: web.Request) -> web.Response:
    """Answer."""
    return web.Response(text="first")


async def second(_: web.Request) -> web.Response:
    """Answer differently."""
    return web.Response(text="second")


ROUTES = (
    web.get("/", first),
    web.get("/users", first),
    web.post("/users", second),
    web.get("/users/me", first),
    web.get("/users/{id}", second),
    web.delete("/users/{id}", first),
    web.get("/users/{id}/posts/{post}", first),
    web.get("/files/{file:[^/]+}", first),
    web.get("/numbers", second),
    web.get("/numbers/{number:[0-9]+}", first),
    web.get("/numbers/{word}", second),
    web.route("*", "/any/{thing}", first),
    web.get("/any/{other}", second),
    web.route("*", "/some/one", first),
    web.get("/some/{thing}", second),
    web.get("/v{version}", first),
    web.get("/both/{one}-{two}", first),
    web.get("/{name}", second),
)


async def application(*middlewares: Any) -> web.Application:
    """Return an application with plain and variable routes, set up."""
    app = web.Application(middlewares=middlewares)
    app.add_routes(ROUTES)
    runner = web.AppRunner(app)
    await runner.setup()
    return app


FIXED = (
    ("GET", "/"),
    ("HEAD", "/"),
    ("GET", "/users"),
    ("POST", "/users"),
    ("GET", "/users/me"),
    ("GET", "/numbers"),
    ("GET", "/users?limit=1"),
    ("GET", "/?a/b?c=%2F"),
    ("GET", "/users?"),
)
VARIABLE = (
    ("GET", "/users/1"),
    ("GET", "/files/1"),
    ("HEAD", "/users/Ada"),
    ("DELETE", "/users/me"),
    ("GET", "/users/1?limit=1"),
    ("GET", "/users/1/posts/2"),
)
LONG = (
    ("GET", "/%75sers"),
    ("GET", "/users%3Flimit=1"),
    ("GET", "/users/%41"),
    ("GET", "/users/ñ"),
    ("GET", "/users/a-b"),
    ("GET", "/users/."),
    ("GET", "/users/.."),
    ("GET", "/users/"),
    ("GET", "/users/1/"),
    ("GET", "//users"),
    ("GET", "/numbers/1"),
    ("GET", "/numbers/one"),
    ("GET", "/any/one"),
    ("GET", "/some/one"),
    ("GET", "/some/other"),
    ("GET", "/v1"),
    ("GET", "/both/1-2"),
    ("PUT", "/users/1"),
    ("DELETE", "/users"),
    ("OPTIONS", "*"),
)


@pytest.mark.parametrize("method, target", [*FIXED, *VARIABLE[:5]])
async def test_a_shortcut_is_what_the_router_finds(method: str, target: str) -> None:
    """The same route of the same resource with the same values, for the same application."""
    app = await application()
    request = make_mocked_request(method, target)
    match, found = Shortcuts(app).find(request), await app.router.resolve(request)
    assert match is not None
    assert match.handler == found.handler
    assert match.route is found.route
    assert match == found
    assert match.apps == (app,)
    assert match.current_app is app


@pytest.mark.parametrize("method, target", [*LONG, VARIABLE[5]])
async def test_everything_else_goes_the_long_way(method: str, target: str) -> None:
    """Another variable, another spelling, another method, a resource that comes first."""
    assert Shortcuts(await application()).find(make_mocked_request(method, target)) is None


async def test_an_expectation_goes_the_long_way() -> None:
    """Aiohttp answers it before the handler runs."""
    request = make_mocked_request("POST", "/users", {"Expect": "100-continue"})
    assert Shortcuts(await application()).find(request) is None


async def test_an_application_with_middlewares_of_aiohttp_has_no_shortcuts() -> None:
    """They would be passed by."""

    @web.middleware
    async def surround(request: web.Request, handler: Any) -> web.StreamResponse:
        return await handler(request)  # type: ignore[no-any-return]

    assert Shortcuts(await application(surround)).find(make_mocked_request("GET", "/")) is None
