"""Logs: one event a line on standard error, JSON unless a person is watching."""

import logging
import sys
from collections.abc import Iterator, Mapping
from typing import TextIO

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from bellbuoy import logcontext
from bellbuoy.flood import FloodGate

_log = structlog.get_logger("bellbuoy.logs")


def configure(
    level: str, stream: TextIO | None = None, gate: FloodGate | None = None, **fields: object
) -> None:
    """Send every event of structlog and of the standard library to ``stream``.

    Calling it again replaces the configuration: a worker does so after the fork.

    Args:
        level: The least severe level that is written: debug, info, warning or error.
        stream: Where to; standard error by default. JSON lines unless it is a terminal.
        gate: What bounds a flood; one of its own by default.
        fields: What every event carries, such as the service's name.
    """
    stream = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        logcontext.add,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        _adder(fields),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.PositionalArgumentsFormatter(),
                structlog.stdlib.ExtraAdder(["suppressed_before"]),
                *shared,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _discreet,
                *_renderers(stream),
            ],
        )
    )
    handler.addFilter(gate or FloodGate())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # A full disk or a closed pipe must not become a traceback on the same pipe.
    logging.raiseExceptions = False
    logging.captureWarnings(capture=True)


def set_level(level: str) -> None:
    """Log from ``level`` on, from now on."""
    logging.getLogger().setLevel(level.upper())


def flush(*, last: bool = False) -> None:
    """Write how many events of floods that are over were not written; of all if it is the ``last``.

    Call it once a second; an event that comes again says it itself.
    """
    for handler in logging.getLogger().handlers:
        for gate in handler.filters:
            if isinstance(gate, FloodGate):
                for logger, event, suppressed in gate.left(last=last):
                    _log.warning("events left out", of=event, by=logger, suppressed=suppressed)


def _adder(fields: Mapping[str, object]) -> Processor:
    def add(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        for name, value in fields.items():
            event.setdefault(name, value)
        return event

    return add


def _discreet(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Take PostgreSQL's DETAIL, which quotes rows, from what a traceback is made of.

    The pool removes them, but whoever uses the driver directly, or asyncio, may log its errors.
    """
    given = event.get("exc_info")
    error = given if isinstance(given, BaseException) else sys.exc_info()[1] if given else None
    if isinstance(given, tuple):
        error = given[1]
    for each in _all_of(error):
        if hasattr(each, "sqlstate") and hasattr(each, "detail"):
            each.detail = None
    return event


def _all_of(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, those it came from, and those it consists of."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            waiting += each.exceptions


def _renderers(stream: TextIO) -> list[Processor]:
    if stream.isatty():
        # Not the one that shows variables, which hold what clients sent.
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(exception_formatter=plain)]
    return [
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("message"),
        structlog.processors.JSONRenderer(),
    ]
