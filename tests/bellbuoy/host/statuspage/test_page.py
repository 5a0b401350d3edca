"""The page over HTTP: its headers, its stream, and how that ends."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from bellbuoy.host.statuspage import StatusPage, page
from bellbuoy.host.statuspage.feed import MOST
from bellbuoy.host.statuspage.recorder import Recorder
from bellbuoy.host.web import FAMILIES, Traffic, serve
from bellbuoy.instruments import Instruments
from bellbuoy.metrics import Layout
from bellbuoy.snapshot import take
from tests.bellbuoy.host.listening import Client, client, listening
from tests.bellbuoy.host.statuspage.stage import Stage
from tests.waiting import soon

Address = tuple[str, int]


@asynccontextmanager
async def serving(traffic: Traffic | None = None) -> AsyncIterator[tuple[Address, Traffic]]:
    """Serve the page of a stage."""
    stage, traffic = Stage(), traffic or Traffic()
    shown = StatusPage("test", lambda: take(stage.board), traffic)
    app = web.Application()
    app.add_routes(shown.routes())
    instruments = Instruments(Layout(FAMILIES))
    async with (
        shown.recording(),
        serve(app, instruments, traffic) as server,
        listening(server) as address,
    ):
        yield address, traffic


async def get(path: str, headers: str = "") -> tuple[int, str, bytes]:
    """Return status, head and body."""
    async with serving() as (address, _), client(address) as talk:
        talk.ask(path, headers)
        head = await talk.head()
        length = head.lower().partition("content-length: ")[2].partition("\r\n")[0]
        return int(head.split()[1]), head, await talk.reader.readexactly(int(length or 0))


async def event(talk: Client) -> tuple[str, Any]:
    """Return the name and the data of the next event of a stream; chunks are whole events."""
    async with asyncio.timeout(20):
        while True:
            size = int(await talk.reader.readline(), 16)
            chunk = (await talk.reader.readexactly(size + 2)).decode().strip()
            if size == 0:
                return "end", None
            lines = dict(line.split(": ", 1) for line in chunk.splitlines())
            if "event" in lines:
                return lines["event"], json.loads(lines["data"])


async def test_the_page_is_html_under_a_strict_policy() -> None:
    """No script, style or connection but our own; no frame, no sniffing, no referrer, no cookie."""
    status, head, body = await get("/")
    assert status == 200
    assert b"<!doctype html>" in body
    for line in (
        "Content-Type: text/html; charset=utf-8",
        "default-src 'none'; script-src 'self'; style-src 'self'",
        "frame-ancestors 'none'",
        "X-Content-Type-Options: nosniff",
        "Referrer-Policy: no-referrer",
        "Cross-Origin-Resource-Policy: same-origin",
    ):
        assert line in head
    assert "unsafe" not in head
    assert "Set-Cookie" not in head


async def test_a_file_is_sent_again_only_if_it_has_changed() -> None:
    """The next release's file has the same name."""
    status, head, body = await get("/page/page.js")
    assert (status, body[:2]) == (200, b"//")
    tag = head.lower().partition("etag: ")[2].partition("\r\n")[0]
    status, head, body = await get("/page/page.js", f"If-None-Match: {tag}\r\n")
    assert (status, body) == (304, b"")
    assert "Content-Security-Policy" in head


@pytest.mark.parametrize("name", ["none.js", "..%2f..%2fpage.py", "README.md", "uPlot.LICENSE"])
async def test_nothing_else_is_a_file_of_the_page(name: str) -> None:
    """A path is a key of a table."""
    status, _, _ = await get(f"/page/{name}")
    assert status == 404


@pytest.mark.slow
async def test_a_stream_begins_with_the_past_and_goes_on_with_every_second() -> None:
    """Nobody may keep it in a cache."""
    async with serving() as (address, _), client(address) as talk:
        talk.ask("/events")
        head = await talk.head()
        assert "Content-Type: text/event-stream" in head
        assert "Cache-Control: no-store" in head
        assert "frame-ancestors 'none'" in head
        assert "Server: bellbuoy" in head
        names = [await event(talk) for _ in range(3)]
    assert [name for name, _ in names] == ["past", "now", "now"]
    assert names[0][1]["service"] == "test"
    # A second apart, unless the machine stalls: neither the same moment nor minutes.
    assert page.TICK / 10 < names[2][1]["at"] - names[1][1]["at"] < page.TICK * 10


@pytest.mark.slow
async def test_a_stream_outlives_the_deadline_of_requests() -> None:
    """It is no request that hangs, and not a slow one either."""
    async with serving(Traffic(deadline=0.3)) as (address, traffic), client(address) as talk:
        talk.ask("/events")
        await talk.head()
        began = time.monotonic()
        while time.monotonic() - began < 1.5:
            name, _ = await event(talk)
            assert name in {"past", "now"}
        assert traffic.in_flight == 1


@pytest.mark.slow
async def test_a_drain_ends_every_stream() -> None:
    """With the end of a chunked answer, so that the browser knows to come back."""
    async with serving() as (address, traffic), client(address) as talk:
        talk.ask("/events")
        await talk.head()
        await event(talk)
        assert traffic.in_flight == 1
        traffic.draining = True
        while (await event(talk))[0] != "end":
            pass
        await soon(lambda: traffic.in_flight == 0)
    assert traffic.in_flight == 0


async def test_one_more_stream_than_there_may_be_is_refused() -> None:
    """With 503 and when to come back; the others go on."""
    async with serving() as (address, traffic), AsyncExitStack() as stack:
        for _ in range(MOST):
            talk = await stack.enter_async_context(client(address))
            talk.ask("/events")
        await soon(lambda: traffic.in_flight == MOST)
        late = await stack.enter_async_context(client(address))
        late.ask("/events")
        head, _ = await late.answer()
    assert head.split()[1] == "503"
    assert "Retry-After: 5" in head


@pytest.mark.slow
async def test_a_reader_that_hangs_up_leaves_nothing() -> None:
    """No error, and its seat is free again."""
    with capture_logs() as logged:
        async with serving() as (address, traffic):
            async with client(address) as talk:
                talk.ask("/events")
                await talk.head()
                assert traffic.in_flight == 1
            await soon(lambda: traffic.in_flight == 0)
    assert (traffic.in_flight, logged) == (0, [])


@pytest.mark.slow
async def test_where_nobody_reads_it_is_recorded_and_nothing_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A text a second that nobody gets is half of the cost; who comes then has the past."""
    written, tick = 0, Recorder.tick

    def counted(recorder: Recorder) -> bytes:
        nonlocal written
        written += 1
        return tick(recorder)

    monkeypatch.setattr(Recorder, "tick", counted)
    stage, traffic = Stage(), Traffic()
    shown = StatusPage("test", lambda: take(stage.board), traffic)
    async with shown.recording():
        await soon(lambda: len(shown._recorder.history.samples) == 2)
        assert written == 0
        with shown._feed.seat():
            await soon(lambda: written == 1)


@pytest.mark.slow
async def test_a_tick_that_fails_stops_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """It is logged, and the next one is tried."""
    stage, traffic, calls = Stage(), Traffic(), 0

    def failing() -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise RuntimeError("on purpose")
        return take(stage.board)

    shown = StatusPage("test", failing, traffic)
    async with shown.recording():
        await soon(lambda: len(shown._recorder.history.samples) == 1)
    assert calls == 3
    assert "recording failed" in "".join(capfd.readouterr())
