"""What surrounds every request."""

import asyncio
import io

import pytest
import structlog.testing
from aiohttp import web

from bellbuoy import logs
from bellbuoy.database import writes
from bellbuoy.database.measures import WRITES_REFUSED
from bellbuoy.errors import DatabaseUnavailable
from bellbuoy.host.web import accesslog
from bellbuoy.host.web.traffic import Traffic
from bellbuoy.instruments import Instruments
from bellbuoy.metrics import Layout
from bellbuoy.monitor import AsyncMonitor
from tests.api.serving import served_app
from tests.bellbuoy.test_logs import events, restored
from tests.rings import kept, no_collection
from tests.waiting import soon

__all__ = ["no_collection", "restored"]


async def respond(request: web.Request) -> web.Response:
    """Do what the query says."""
    match request.query.get("do"):
        case "fail":
            raise RuntimeError("a bug with secrets in it")
        case "refuse":
            raise DatabaseUnavailable("The database cannot be reached.", 1)
        case "timeout":
            raise TimeoutError
        case "wait":
            await asyncio.Event().wait()
        case "redirect":
            raise web.HTTPFound("/elsewhere")
        case "large":
            await request.read()
        case "begin":
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(b"some")
            raise RuntimeError("in the middle")
    return web.Response(text="done")


def app() -> web.Application:
    """Return an application with one route that the metrics know."""
    application = web.Application(client_max_size=10)
    application.router.add_get("/", respond)
    application.router.add_post("/users", respond)
    return application


async def test_every_answer_has_the_id_and_is_counted() -> None:
    """By route, never by path."""
    async with served_app(app()) as served:
        reply = await served.ask("/", headers={"X-Request-Id": "mine"})
        missing = await served.ask("/not/here")
        wrong = await served.ask("/users")
        assert served.answered("GET", "/", 200) == 1
        assert served.answered("GET", "none", 404) == 1
        assert served.answered("GET", "none", 405) == 1
    assert (reply.status, reply.headers["x-request-id"], reply.body) == (200, "mine", b"done")
    assert reply.headers["server"] == "bellbuoy"
    assert missing.headers["x-request-id"] == missing.content["request_id"]
    assert (wrong.status, wrong.headers["allow"]) == (405, "POST")


async def test_whatever_is_logged_while_a_request_is_handled_carries_its_id() -> None:
    """A write that its client does not wait for, too; and each request its own."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    database = writes.Writes(
        AsyncMonitor(), 9, Instruments(Layout((WRITES_REFUSED,))).counter(WRITES_REFUSED)
    )

    async def work() -> None:
        await asyncio.sleep(0)
        structlog.get_logger("bellbuoy.database").warning("written")

    async def write(_: web.Request) -> web.Response:
        await database.run("test", work)
        return web.Response()

    application = web.Application()
    application.router.add_get("/", write)
    stream = io.StringIO()
    logs.configure("info", stream)
    async with served_app(application) as served, served.client() as client:
        traced = {"X-Request-Id": "first", "traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
        await client.ask("/", headers=traced)
        await client.ask("/", headers={"X-Request-Id": "second"})
    first, second = [event for event in events(stream) if event["message"] == "written"]
    assert (first["request_id"], first["trace_id"]) == ("first", trace)
    assert (second["request_id"], "trace_id" in second) == ("second", False)


async def test_a_redirection_is_no_problem() -> None:
    """It goes where it should, and is counted."""
    async with served_app(app()) as served:
        reply = await served.ask("/?do=redirect")
        assert served.answered("GET", "/", 302) == 1
    assert (reply.status, reply.headers["location"]) == (302, "/elsewhere")


async def test_a_bug_is_logged_counted_and_hidden() -> None:
    """The id in the answer finds the traceback in the log."""
    with structlog.testing.capture_logs() as events:
        async with served_app(app()) as served:
            reply = await served.ask("/?do=fail")
            assert served.bugs() == 1
    assert reply.status == 500
    assert b"secrets" not in reply.body
    assert {event["request_id"] for event in events} == {reply.content["request_id"]}
    assert [event["event"] for event in events] == ["request failed", "failed request"]
    assert "secrets" in str(events[0]["exc_info"])


async def test_a_bug_in_the_middle_of_an_answer_ends_the_connection() -> None:
    """A second answer would be taken for the rest of the first."""
    with structlog.testing.capture_logs() as events:
        async with served_app(app()) as served, served.client() as client:
            client.send("/?do=begin")
            async with asyncio.timeout(20):
                received = await client.reader.read()
            assert (served.bugs(), served.metrics.aborted.value) == (1, 1)
    assert received.endswith(b"4\r\nsome\r\n")
    assert len(events) == 1


@pytest.mark.parametrize(
    "what, status", [("refuse", 503), ("timeout", 500)], ids=["refused", "a stray TimeoutError"]
)
async def test_errors_become_problems(what: str, status: int) -> None:
    """A TimeoutError that nobody expected is a bug, not a gateway's 504."""
    with structlog.testing.capture_logs():
        async with served_app(app()) as served:
            reply = await served.ask(f"/?do={what}")
    assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json")


async def test_a_refusal_is_no_line_in_the_log() -> None:
    """An outage must not fill the disk."""
    with structlog.testing.capture_logs() as events:
        async with served_app(app()) as served:
            await served.ask("/?do=refuse")
            assert served.bugs() == 0
    assert events == []


async def test_who_overruns_the_deadline_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """503, and the connection can be used again."""
    monkeypatch.setattr(accesslog, "SLOW", 60)
    async with served_app(app(), Traffic(deadline=0.05)) as served, served.client() as client:
        late = await client.ask("/?do=wait")
        again = await client.ask("/")
        assert served.answered("GET", "/", 503) == 1
    assert (late.status, again.status) == (503, 200)
    assert late.headers["retry-after"] == "1"


async def test_what_a_write_past_its_deadline_did_is_not_known() -> None:
    """503 without a time to come back: what was begun may be finished all the same."""
    async with served_app(app(), Traffic(deadline=0.05)) as served:
        late = await served.ask("/users?do=wait", "POST")
    assert (late.status, late.headers.get("retry-after")) == (503, None)
    assert "not known" in late.content["detail"]


async def test_a_slow_answer_is_a_line_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what is needed to find it, and without the path."""
    monkeypatch.setattr(accesslog, "SLOW", -1.0)
    with structlog.testing.capture_logs() as events:
        async with served_app(app()) as served:
            await served.ask("/?secret=1")
    assert [(event["event"], event["route"]) for event in events] == [("slow request", "/")]
    assert "secret" not in str(events)


async def test_a_body_that_is_too_large_is_refused() -> None:
    """413, before it has been read."""
    async with served_app(app()) as served:
        reply = await served.tell(
            b"POST /users?do=large HTTP/1.1\r\nHost: t\r\nContent-Length: 11\r\n\r\n12345678901"
        )
    assert (reply.status, reply.headers["content-type"]) == (413, "application/problem+json")


@pytest.mark.usefixtures("no_collection")
async def test_a_request_that_no_route_takes_is_not_kept() -> None:
    """Its match holds the error, whose traceback holds the request and its body."""
    before = kept(web.HTTPNotFound)
    async with served_app(app()) as served:
        reply = await served.ask("/none/of/them", "POST", body=bytes(10))
        assert reply.status == 404
        assert [each for each in kept(web.HTTPNotFound) if each not in before] == []


@pytest.mark.usefixtures("no_collection")
async def test_a_request_whose_client_has_left_is_not_kept() -> None:
    """Its cancellation holds all frames from the connection to the body."""
    before = kept(asyncio.CancelledError)
    async with served_app(app()) as served:
        async with served.client() as client:
            client.send("/?do=wait")
            await soon(lambda: served.server._traffic.in_flight)
        await soon(lambda: served.metrics.aborted.value == 1)
        await soon(lambda: all(each in before for each in kept(asyncio.CancelledError)))


async def test_an_expectation_that_nobody_knows_is_a_problem_too() -> None:
    """Aiohttp answers it before any middleware of its own."""
    async with served_app(app()) as served:
        reply = await served.ask("/", headers={"Expect": "miracles"})
        assert served.answered("GET", "/", 417) == 1
    assert (reply.status, reply.headers["content-type"]) == (417, "application/problem+json")


async def test_while_draining_every_answer_says_goodbye() -> None:
    """Errors included; the header and the deed."""
    async with served_app(app()) as served, served.client() as first, served.client() as second:
        assert "connection" not in (await first.ask("/")).headers
        await second.ask("/")
        served.server.announce_drain()
        last = [await first.ask("/"), await second.ask("/nowhere/else")]
        assert [reply.headers["connection"] for reply in last] == ["close", "close"]
        assert await first.is_closed()
        assert await second.is_closed()
