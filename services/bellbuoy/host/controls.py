"""The controls of the admin port: what an operator changes while the container runs.

Law of this file: a control is read by anybody and written with the admin token, which the guard
has asked for by the time a handler runs. Each write is one line of the log: what, and when; who it
was a token does not tell.
"""

import logging
import math
import time
from typing import Annotated, TypeVar

import msgspec
import structlog
from aiohttp import web

from bellbuoy.commands import Commands, Level
from bellbuoy.host.web import Problem

T = TypeVar("T")

DAY = 86_400.0
"""Seconds; nobody remembers for longer that a level is not the configured one."""

_NAME = "bellbuoy.host.controls"
_log = structlog.get_logger(_NAME)


class LevelOrder(msgspec.Struct, forbid_unknown_fields=True):
    """What ``PUT /log-level`` takes.

    Args:
        level: The least severe level that is logged; ``None`` for the configured one.
        seconds: How long; absent, until it is changed again.
    """

    level: Level | None
    seconds: Annotated[float, msgspec.Meta(gt=0, le=DAY)] | None = None


class ReadinessOrder(msgspec.Struct, forbid_unknown_fields=True):
    """What ``PUT /readiness`` takes: whether traffic may be sent here."""

    ready: bool


class Controls:
    """The controls of one container.

    Args:
        commands: Where every process reads what was ordered.
        configured: The log level without an order.
    """

    def __init__(self, commands: Commands, configured: Level) -> None:
        """Order nothing."""
        self._commands = commands
        self._configured = configured
        # What was ordered is told at any level, also at that which was ordered.
        logging.getLogger(_NAME).setLevel(logging.WARNING)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes to add to the admin port."""
        return [
            web.get("/log-level", self._level),
            web.put("/log-level", self._set_level),
            web.get("/readiness", self._readiness),
            web.put("/readiness", self._set_readiness),
        ]

    async def _level(self, _: web.Request) -> web.Response:
        now = time.monotonic()
        ordered = self._commands.level(now)
        left = self._commands.until - now if ordered else math.inf
        return _json(
            {
                "level": ordered or self._configured,
                "configured": self._configured,
                "seconds_left": round(left, 1) if math.isfinite(left) else None,
            }
        )

    async def _set_level(self, request: web.Request) -> web.Response:
        order = await _read(request, LevelOrder)
        until = math.inf if order.seconds is None else time.monotonic() + order.seconds
        self._commands.set_level(order.level, until)
        _log.warning("log level ordered", to=order.level, seconds=order.seconds)
        return await self._level(request)

    async def _readiness(self, _: web.Request) -> web.Response:
        return _json({"withdrawn": self._commands.withdrawn})

    async def _set_readiness(self, request: web.Request) -> web.Response:
        order = await _read(request, ReadinessOrder)
        self._commands.withdrawn = not order.ready
        _log.warning("readiness ordered", ready=order.ready)
        return await self._readiness(request)


async def _read(request: web.Request, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except msgspec.DecodeError as error:
        raise Problem(400, str(error)) from error


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value) + b"\n", content_type="application/json")
