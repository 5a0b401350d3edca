"""The admin port, answered from a scoreboard whose workers are not real."""

import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bellbuoy.host import Worker
from bellbuoy.host.admin import Admin
from bellbuoy.host.families import FAMILIES
from bellbuoy.instruments import Instruments
from bellbuoy.lifecycle import State
from bellbuoy.metrics import Layout
from bellbuoy.monitor import AsyncMonitor
from bellbuoy.scoreboard import Scoreboard
from bellbuoy.settings import HostSettings
from tests.bellbuoy.host.listening import client, listening


@pytest.fixture
def board() -> Scoreboard:
    """A supervisor that lives and a worker that is ready."""
    board = Scoreboard(FAMILIES, 3)
    board.supervisor = os.getpid()
    board.beat = time.monotonic()
    board.workers[0].take(admin=False)
    board.workers[0].step(State.READY)
    return board


@asynccontextmanager
async def admin(board: Scoreboard) -> AsyncIterator[tuple[str, int]]:
    """Serve the admin port."""
    worker = Worker(Instruments(Layout(FAMILIES)), AsyncMonitor())
    service = Admin("test", HostSettings(watchdog_seconds=30.0), board)
    async with service.open(worker) as server, listening(server) as address:
        yield address


async def ask(board: Scoreboard, path: str, headers: str = "") -> tuple[int, str, bytes]:
    """Return status, head and body."""
    async with admin(board) as address, client(address) as talk:
        talk.ask(path, headers)
        head, body = await talk.answer()
        return int(head.split()[1]), head, body


async def ask_json(board: Scoreboard, path: str) -> tuple[int, Any]:
    """Return status and decoded body."""
    status, head, body = await ask(board, path)
    assert "application/json" in head
    return status, json.loads(body)


async def test_a_container_that_works_is_live_and_ready(board: Scoreboard) -> None:
    """200 twice."""
    assert await ask_json(board, "/livez") == (200, {"status": "live"})
    assert await ask_json(board, "/readyz") == (200, {"status": "ready"})


async def test_a_blocked_worker_is_live_and_not_ready(board: Scoreboard) -> None:
    """Its last beat was a while ago."""
    board.workers[0].beat = time.monotonic() - 10
    assert await ask_json(board, "/livez") == (200, {"status": "live"})
    assert await ask_json(board, "/readyz") == (503, {"status": "not ready"})


async def test_a_worker_past_the_watchdog_is_not_live(board: Scoreboard) -> None:
    """Somebody should have replaced it."""
    board.workers[0].beat = time.monotonic() - 31
    assert await ask_json(board, "/livez") == (503, {"status": "not live"})


async def test_metrics_come_as_asked_for(board: Scoreboard) -> None:
    """Text, or OpenMetrics."""
    status, head, body = await ask(board, "/metrics")
    assert status == 200
    assert "Content-Type: text/plain; version=" in head
    assert b"bellbuoy_build_info{" in body
    assert b'service="test"' in body
    wanted = "Accept: application/openmetrics-text; version=1.0.0\r\n"
    status, head, body = await ask(board, "/metrics", wanted)
    assert "Content-Type: application/openmetrics-text" in head
    assert body.endswith(b"# EOF\n")


async def test_tasks_are_json(board: Scoreboard) -> None:
    """Nobody did anything yet."""
    status, tasks = await ask_json(board, "/tasks")
    assert (status, tasks["tasks"], tasks["oldest"]) == (200, {}, [])
    assert [worker["state"] for worker in tasks["workers"]] == ["ready"]


async def test_the_status_page_is_at_the_root(board: Scoreboard) -> None:
    """What it consists of is tested with it."""
    status, head, body = await ask(board, "/")
    assert (status, body[:15]) == (200, b"<!doctype html>")
    assert "Content-Security-Policy: default-src 'none'" in head


async def test_what_is_not_there_is_a_problem(board: Scoreboard) -> None:
    """RFC 9457."""
    status, head, body = await ask(board, "/nothing")
    assert status == 404
    assert "application/problem+json" in head
    assert json.loads(body)["detail"] == "There is nothing at this path."


async def test_a_page_whose_name_began_to_mean_our_address_reads_nothing(
    board: Scoreboard,
) -> None:
    """DNS rebinding: the browser sends that name."""
    async with admin(board) as address, client(address) as talk:
        talk.writer.write(b"GET /tasks HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        head, body = await talk.answer()
    assert head.split()[1] == "421"
    assert "BUOY_ADMIN_NAMES" in json.loads(body)["detail"]


async def test_a_request_with_two_hosts_is_refused(board: Scoreboard) -> None:
    """Which of them is meant nobody can say."""
    status, _, _ = await ask(board, "/livez", "Host: other\r\n")
    assert status == 400


async def test_nothing_can_be_written(board: Scoreboard) -> None:
    """405 says what can be done instead."""
    async with admin(board) as address, client(address) as talk:
        talk.writer.write(b"POST /livez HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n")
        head, body = await talk.answer()
    assert head.split()[1] == "405"
    assert "Allow: GET,HEAD" in head
    assert json.loads(body)["title"] == "Method Not Allowed"


@pytest.mark.parametrize(
    "path, headers, status",
    [
        ("/", "", 200),
        ("/metrics", "", 200),
        ("/tasks", "", 200),
        ("/nothing", "", 404),
        ("/tasks", "Origin: http://evil.example\r\n", 403),
        ("/page/nothing", "", 404),
    ],
)
async def test_no_answer_can_be_taken_by_a_page_of_another_origin(
    board: Scoreboard, path: str, headers: str, status: int
) -> None:
    """Whatever the answer is: no frame, no embedding, no guessing of its type."""
    got, head, _ = await ask(board, path, headers)
    assert got == status
    for line in (
        "Cross-Origin-Resource-Policy: same-origin",
        "Referrer-Policy: no-referrer",
        "X-Content-Type-Options: nosniff",
        "X-Frame-Options: DENY",
    ):
        assert head.count(line) == 1
