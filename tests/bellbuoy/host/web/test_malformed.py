"""What a client is told whose request is none, and what is left of it."""

import asyncio

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong
from aiohttp.http_parser import HttpRequestParser

from bellbuoy.host.web.malformed import (
    MAX_FIELD,
    MAX_LINE,
    TooSlow,
    explain,
    has_begun,
    release,
)


def test_what_aiohttp_meets_outside_the_middleware_shows_nothing() -> None:
    """A bug of ours around it, and parser errors without a class of their own."""
    assert explain(500, RuntimeError("secret")).status == 500
    assert "secret" not in explain(500, RuntimeError("secret")).detail
    assert explain(400, BadHttpMessage("secret")).status == 400


def test_each_limit_has_its_status() -> None:
    """A line, a field, too many of them, too slow."""
    assert explain(400, LineTooLong(b"", str(MAX_LINE))).status == 414
    assert explain(400, LineTooLong(b"", str(MAX_FIELD))).status == 431
    assert explain(400, BadHttpMessage("Too many headers received")).status == 431
    assert explain(408, TooSlow()).status == 408


async def test_a_parser_tells_whether_it_holds_part_of_a_head() -> None:
    """And goes on as if nobody had asked when it does not."""
    loop = asyncio.get_running_loop()
    parser = HttpRequestParser(BaseProtocol(loop), loop, 1 << 16)
    for data in (b"", b"GET / HTTP/1.1\r\nHost: t\r\n\r\n", b"\r\n"):
        parser.feed_data(data)
        assert not has_begun(parser)
        assert not has_begun(parser)
    parser.feed_data(b"G")
    assert has_begun(parser)
    assert not has_begun(None)


def test_an_error_that_is_let_go_of_holds_no_frame() -> None:
    """And so nothing that was in one."""
    error = BadHttpMessage("secret")
    with pytest.raises(BadHttpMessage):
        raise error
    release(error)
    assert error.__traceback__ is None
