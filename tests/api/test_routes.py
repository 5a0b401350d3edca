"""The table of routes, as clients meet it."""

from pathlib import Path

import pytest

from tests.api.serving import AUTHORIZED, api_settings, served_api

ALLOWED = {
    "/": "GET,HEAD,OPTIONS",
    "/Ada": "GET,HEAD,OPTIONS",
    "/health": "GET,HEAD,OPTIONS",
    "/version": "GET,HEAD,OPTIONS",
    "/docs": "GET,HEAD,OPTIONS",
    "/docs/start.js": "GET,HEAD,OPTIONS",
    "/openapi.json": "GET,HEAD,OPTIONS",
    "/users": "GET,HEAD,OPTIONS,POST",
    "/users/1": "DELETE,GET,HEAD,OPTIONS,PATCH,PUT",
}


@pytest.mark.parametrize("path", ALLOWED)
async def test_every_path_says_what_it_takes(tmp_path: Path, path: str) -> None:
    """To OPTIONS, and to a method that it does not take; without a token."""
    methods = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "QUERY"}
    async with served_api(api_settings(tmp_path)) as served:
        asked = await served.ask(path, "OPTIONS")
        refused = {
            method: await served.ask(path, method)
            for method in methods - {*ALLOWED[path].split(",")}
        }
    assert (asked.status, asked.body, asked.headers["allow"]) == (204, b"", ALLOWED[path])
    assert {reply.status for reply in refused.values()} == {405}
    assert {reply.headers["allow"] for reply in refused.values()} == {ALLOWED[path]}
    assert ("accept-patch" in asked.headers) == (path == "/users/1")


async def test_a_fixed_name_is_no_greeting(tmp_path: Path) -> None:
    """What the api needs for itself nobody is called; longer and shorter names are greeted."""
    async with served_api(api_settings(tmp_path)) as served:
        kinds = {
            path: (await served.ask(path, headers=AUTHORIZED)).headers["content-type"]
            for path in (
                "/health",
                "/version",
                "/docs",
                "/openapi.json",
                "/users",
                "/user",
                "/Docs",
            )
        }
    assert [path for path, kind in kinds.items() if kind.startswith("text/plain")] == [
        "/user",
        "/Docs",
    ]


async def test_head_is_get_without_the_body(tmp_path: Path) -> None:
    """The same fields, the length included."""
    changing = {"date", "x-request-id"}
    async with served_api(api_settings(tmp_path)) as served:
        for path in ALLOWED:
            if not path.startswith("/users"):
                get, head = await served.ask(path), await served.ask(path, "HEAD")
                assert head.status == get.status
                for name in get.headers.keys() - changing:
                    assert head.headers[name] == get.headers[name], (path, name)
