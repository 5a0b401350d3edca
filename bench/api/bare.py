"""A bare aiohttp application on uvloop: the greeting and nothing that surrounds it."""

import sys

import uvloop
from aiohttp import web


async def greet(_: web.Request) -> web.Response:
    """Greet."""
    return web.Response(text="Hello, World!")


app = web.Application()
app.add_routes([web.get("/", greet)])
web.run_app(
    app,
    host="127.0.0.1",
    port=int(sys.argv[1]),
    loop=uvloop.new_event_loop(),
    access_log=None,
    print=lambda *_: None,
)
