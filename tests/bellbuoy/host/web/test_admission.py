"""Admission: what aiohttp lets pass and HTTP does not."""

import pytest
from aiohttp import web

from bellbuoy.host.web.admission import is_host
from tests.api.serving import served_app


def app() -> web.Application:
    """Return an application that answers everywhere."""

    async def respond(request: web.Request) -> web.Response:
        return web.Response(body=request.rel_url.raw_path.encode())

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", respond)
    return application


@pytest.mark.parametrize(
    "text, is_one",
    [
        ("example.com", True),
        ("example.com:8080", True),
        ("example.com:", True),
        ("192.0.2.1", True),
        ("[2001:db8::1]:80", True),
        ("a_b", True),
        ("", False),
        (":80", False),
        ("a b", False),
        ("a,b", False),
        ("a/b", False),
        ("a@b", False),
        ("a:b", False),
        ("a:123456", False),
        ("[x]", False),
        ("2001:db8::1", False),
        ("\xe4", False),
        ("a\n", False),
    ],
)
def test_a_host_is_a_host(text: str, is_one: bool) -> None:  # noqa: FBT001
    """As RFC 9110 section 7.2 has it, and one only."""
    assert is_host(text) == is_one


@pytest.mark.parametrize(
    "target, path",
    [
        (b"http://host", b"/"),
        (b"http://host?x=1", b"/"),
        (b"HTTP://host:80/a?b", b"/a"),
        (b"https://[::1]:1/a", b"/a"),
        (b"//evil", b"//evil"),
        (b"/a%20b", b"/a%20b"),
    ],
)
async def test_every_form_of_a_target_is_taken(target: bytes, path: bytes) -> None:
    """Aiohttp finds nothing at an absolute one without a path."""
    async with served_app(app()) as served:
        reply = await served.tell(b"GET " + target + b" HTTP/1.1\r\nHost: t\r\n\r\n")
    assert (reply.status, reply.body) == (200, path)


@pytest.mark.parametrize(
    "request_line, field, status",
    [
        (b"GET /#f HTTP/1.1", b"Host: t", 400),
        (b"GET ftp://host/ HTTP/1.1", b"Host: t", 400),
        (b"GET http://user@host/ HTTP/1.1", b"Host: t", 400),
        (b"GET / HTTP/1.1", b"Host: a b", 400),
        (b"GET / HTTP/1.1", b"Host:", 400),
        (b"GET / HTTP/2.0", b"Host: t", 400),
        (b"GET / HTTP/0.9", b"Host: t", 400),
        (b"CONNECT host:1 HTTP/1.1", b"Host: t", 405),
        (b"CONNECT / HTTP/1.1", b"Host: t", 405),
        (b"POST / HTTP/1.0", b"Transfer-Encoding: chunked", 400),
        (b"POST / HTTP/1.1", b"Host: t\r\nTransfer-Encoding: gzip, chunked", 400),
        (b"POST / HTTP/1.1", b"Host: t\r\nContent-Length: 1048577", 413),
        (b"POST / HTTP/1.1", b"Host: t\r\nContent-Length: 1048577\r\nExpect: 100-continue", 413),
        (b"POST / HTTP/1.1", b"Host: t\r\nContent-Length: 1\r\nContent-Encoding: gzip", 415),
        (b"POST / HTTP/1.1", b"Host: t\r\nContent-Length: 1\r\nContent-Encoding: x, br", 415),
    ],
)
async def test_what_is_inadmissible_is_a_problem_and_the_end(
    request_line: bytes, field: bytes, status: int
) -> None:
    """Nobody's handler sees it, and the connection takes no other request."""
    async with served_app(app()) as served, served.client() as client:
        client.writer.write(request_line + b"\r\n" + field + b"\r\n\r\n")
        reply = await client.receive()
        client.writer.write(b"GET /second HTTP/1.1\r\nHost: t\r\n\r\n")
        assert await client.is_closed()
    assert (reply.status, reply.headers["connection"]) == (status, "close")
    assert reply.headers["content-type"] == "application/problem+json"


async def test_the_server_itself_has_options() -> None:
    """`OPTIONS *` is a question to it, not to a resource."""
    async with served_app(app()) as served:
        reply = await served.tell(b"OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n")
    assert (reply.status, "GET" in reply.headers["allow"]) == (204, True)


async def test_a_body_may_be_as_it_is() -> None:
    """`identity` is no encoding."""
    async with served_app(app()) as served:
        reply = await served.tell(
            b"POST /a HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\n"
            b"Content-Encoding: identity\r\n\r\nx"
        )
    assert reply.status == 200
