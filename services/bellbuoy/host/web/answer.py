"""Answers: what every one carries, and what the last one of a connection says."""

import asyncio
from typing import Any, Protocol, cast

from aiohttp import hdrs, web
from multidict import istr

from bellbuoy.host.web.identity import REQUEST_ID

SERVER = "bellbuoy"

# Names that are folded already cost a third of a plain string.
OPTIONS = istr("X-Content-Type-Options")


class Connection(Protocol):
    """What an answer's connection is to who answers.

    Attributes:
        serving: The task of the request in progress.
        request_id: Its id.
    """

    serving: "asyncio.Task[Any] | None"
    request_id: str

    def part(self) -> None:
        """Take no further request; read on, after the last answer, until the client has it."""


def sign(response: web.StreamResponse, request_id: str) -> None:
    """Put on a response what every response carries."""
    headers = response.headers
    headers[REQUEST_ID] = request_id
    headers[hdrs.SERVER] = SERVER
    headers[OPTIONS] = "nosniff"


def say_goodbye(response: web.StreamResponse) -> None:
    """Make this the connection's last response, and say so.

    Both are needed: the header tells the client, the flag tells aiohttp.
    """
    response.headers["Connection"] = "close"
    response.force_close()


def end(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Make this the connection's last response, whatever the client still sends."""
    say_goodbye(response)
    cast("Connection", request.protocol).part()
