"""What a client is told whose request is none."""

from aiohttp.http_exceptions import BadHttpMessage, LineTooLong

from bellbuoy.host.web.malformed import MAX_FIELD, MAX_LINE, TooSlow, explain


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
