"""Which request a log line belongs to, though whoever writes it has never heard of requests.

Law of this file: every request sets it, so that costs a fifth of a microsecond; few write a line,
so what it means is worked out then. Tasks inherit it from where they are made: a write that goes on
without its request still carries the request's id.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from structlog.types import EventDict, WrappedLogger

Told = tuple[Callable[[str, Any], Mapping[str, str]], str, Any]
"""What makes the fields, of a request's id and of what else it needs. Tasks that inherit it keep it
alive: not a whole request."""

current: ContextVar[Told | None] = ContextVar("bellbuoy.logcontext", default=None)


def add(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Give ``event`` the fields of its request, unless it names another one: a structlog processor.

    What the event says itself wins.
    """
    context = current.get()
    if context is not None:
        tell, request_id, rest = context
        if event.get("request_id", request_id) == request_id:
            for name, value in tell(request_id, rest).items():
                event.setdefault(name, value)
    return event
