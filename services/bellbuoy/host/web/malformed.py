"""What is no request: the limits of a head, and what a client is told who breaks them."""

from typing import Any

from aiohttp.http_exceptions import BadHttpMessage, HttpProcessingError, LineTooLong
from aiohttp.http_parser import HttpParser

from bellbuoy import timeouts
from bellbuoy.host.web.problem import INTERNAL, Problem

MAX_LINE = 4096
"""Bytes of a request line."""

MAX_FIELD = 8190
"""Bytes of one header field; what nginx and Apache allow. It differs from MAX_LINE, which tells
the two apart in aiohttp's error."""

MAX_FIELDS = 64
"""Header fields."""


class TooSlow(Exception):
    """A head did not come in time."""


def explain(status: int, error: BaseException | None) -> Problem:
    """Return the problem for an error that aiohttp met before or after the middleware."""
    if isinstance(error, TooSlow):
        return Problem(408, f"The request's head took longer than {timeouts.HEAD:g} s.")
    if isinstance(error, LineTooLong):
        if str(error.args[1]) == str(MAX_LINE):
            return Problem(414, f"The request line is longer than {MAX_LINE} bytes.")
        return Problem(431, f"A header field is longer than {MAX_FIELD} bytes.")
    if isinstance(error, BadHttpMessage) and "Too many" in error.message:
        return Problem(431, f"There are more than {MAX_FIELDS} header fields.")
    if isinstance(error, HttpProcessingError):
        return Problem(400, "This is no HTTP request as RFC 9112 has it.")
    return Problem(status, INTERNAL if status >= 500 else "")  # noqa: PLR2004


def release(error: BaseException) -> None:
    """Let go of the data that the traceback of an error of aiohttp's keeps; it is for no log.

    A frame, or the request in it, holds the error: a ring, which stays until Python looks for some.
    """
    error.__traceback__ = None


def has_begun(parser: HttpParser[Any] | None) -> bool:
    """Return whether a parser between two requests holds part of a head; then it is done for.

    Told that no more will come, aiohttp's parser in C returns ``None`` and stays as it is, unless
    it holds one: it makes a request of it, or says what is wrong with it.
    """
    try:
        return parser is not None and parser.feed_eof() is not None
    except HttpProcessingError:
        return True
