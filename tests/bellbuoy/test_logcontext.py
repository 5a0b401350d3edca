"""A log line tells which request it belongs to, whoever writes it."""

import asyncio
import contextvars
import io
import logging
from collections.abc import Mapping

import structlog

from bellbuoy import logcontext, logs
from tests.bellbuoy.test_logs import events, restored

__all__ = ["restored"]


def tell(request_id: str, trace_id: str) -> Mapping[str, str]:
    """Return the fields of a request."""
    return {"request_id": request_id, "trace_id": trace_id}


def stream() -> io.StringIO:
    """Return where logs go."""
    stream = io.StringIO()
    logs.configure("info", stream)
    return stream


def request(number: int) -> contextvars.Context:
    """Return the context in which a request is handled."""
    context = contextvars.copy_context()
    context.run(logcontext.current.set, (tell, f"id{number}", f"trace{number}"))
    return context


def test_a_line_has_the_fields_of_its_request() -> None:
    """Those of the standard library's loggers, too."""
    written = stream()
    request(1).run(structlog.get_logger("test").info, "it floats")
    request(2).run(logging.getLogger("asyncpg").warning, "it sinks")
    structlog.get_logger("test").info("nobody asked")
    first, second, third = events(written)
    assert (first["request_id"], first["trace_id"]) == ("id1", "trace1")
    assert (second["request_id"], second["trace_id"]) == ("id2", "trace2")
    assert not third.keys() & {"request_id", "trace_id"}


def test_a_line_that_names_another_request_belongs_to_that() -> None:
    """A connection's next request may be malformed: it has an id, but no context of its own."""
    written = stream()
    log = structlog.get_logger("test").info
    request(1).run(log, "malformed", request_id="other")
    request(1).run(log, "its own", request_id="id1", trace_id="its own")
    other, own = events(written)
    assert (other["request_id"], "trace_id" in other) == ("other", False)
    assert (own["request_id"], own["trace_id"]) == ("id1", "its own")


async def test_a_task_inherits_it() -> None:
    """And keeps it when the one who made it has turned to something else."""
    written, go = stream(), asyncio.Event()

    async def work() -> None:
        await go.wait()
        structlog.get_logger("test").info("done")

    logcontext.current.set((tell, "first", "trace"))
    task = asyncio.create_task(work())
    logcontext.current.set((tell, "second", "trace"))
    go.set()
    await task
    assert [event["request_id"] for event in events(written)] == ["first"]
