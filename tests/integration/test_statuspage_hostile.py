"""The status page against what is hostile: markup in an error, and pages of other origins."""

import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import chromium, needs_browser, opened
from tests.integration.test_controls import writable
from tests.integration.test_statuspage import says, url
from tests.program import Program, ports, running
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, needs_browser]

REBOUND = "rebound.example"
"""A name that means our address, to this browser."""

MARKUP = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One that was told wrong by DNS."""
    with chromium(f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1") as running:
        yield running


def test_markup_in_an_error_is_a_text(browser: Browser, tmp_path: Path) -> None:
    """It is shown as it stands, and never run."""
    program = tmp_path / "faulty.py"
    source = Path(__file__).parents[1] / "programs" / "third.py"
    text = source.read_text().replace(
        "        yield Shouting(worker)\n",
        f"        with suppress(ValueError), worker.monitor.span({MARKUP!r}):\n"
        f"            raise ValueError({MARKUP!r})\n"
        "        yield Shouting(worker)\n",
    )
    program.write_text(
        text.replace("import asyncio\n", "import asyncio\nfrom contextlib import suppress\n")
    )
    faulty = Program([sys.executable, str(program)], {**ports("third"), "BUOY_WORKERS": "1"})
    try:
        faulty.await_workers(1)
        with opened(browser, url(faulty)) as page:
            says(page, "#task-rows th .fault", "<img src=x")
            says(page, "summary", "Other numbers")
            assert page.evaluate("window.hacked") is None
            assert page.locator("#task-rows img").count() == 0
    finally:
        faulty.end()


class Hostile(BaseHTTPRequestHandler):
    """A page of another origin."""

    def do_GET(self) -> None:
        """Be empty."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@contextmanager
def elsewhere() -> Iterator[str]:
    """Serve another origin."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
    thread = threading.Thread(target=partial(server.serve_forever, 0.05))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


ATTACKS = {
    "read": "await fetch(at + 'tasks').then((r) => r.text())",
    "read blindly": "await fetch(at + 'tasks', {mode: 'no-cors'})",
    "listen": "await new Promise((done) => { new EventSource(at + 'events').onerror = done; })",
    "write a form": "await fetch(at + 'log-level', {method: 'POST', mode: 'no-cors', body: LEVEL})",
    "write a level": "await fetch(at + 'log-level', {method: 'PUT', body: LEVEL})",
    "write readiness": "await fetch(at + 'readiness', {method: 'PUT', body: READY})",
    "submit readiness": "await fetch(at + 'readiness', {method: 'POST', mode: 'no-cors',"
    "body: READY})",
    "script": "await new Promise((done) => { const s = document.createElement('script');"
    "s.src = at + 'page/theme.js'; s.onload = s.onerror = done; document.head.append(s); })",
    "frame": "await new Promise((done) => { const f = document.createElement('iframe');"
    "f.src = at; f.onload = done; document.documentElement.append(f); })",
}
"""What a page does; what came of it is asked of the server, as the page may not see it."""

BODIES = """const LEVEL = '{"level": "debug"}', READY = '{"ready": false}';"""


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A service whose controls can be written, by who has the token."""
    folder = tmp_path_factory.mktemp("token")
    with running("echo", writable(folder)) as program:
        program.await_workers(2)
        yield program


def state(program: Program) -> list[bytes]:
    """Return what can be written."""
    paths = ("log-level", "readiness")
    return [urllib.request.urlopen(url(program) + path, timeout=10).read() for path in paths]  # noqa: S310


@contextmanager
def answers(page: Page, at: str, count: int = 1) -> Iterator[list[int]]:
    """Collect the statuses of what comes from there, preflights and what no page sees, too."""
    found: list[int] = []
    asked: set[str] = set()
    answered: dict[str, int] = {}

    def ask(event: dict[str, Any]) -> None:
        if event["request"]["url"].startswith(at):
            asked.add(event["requestId"])

    def answer(event: dict[str, Any]) -> None:
        answered[event["requestId"]] = event["statusCode"]

    session = page.context.new_cdp_session(page)
    session.on("Network.requestWillBeSent", ask)
    session.on("Network.responseReceivedExtraInfo", answer)
    session.send("Network.enable")
    yield found
    # What a preflight forbade is asked for and never answered.
    eventually(lambda: page.evaluate("1") and len(asked & answered.keys()) >= count)
    found.extend(answered[each] for each in asked & answered.keys())
    session.detach()


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_page_of_another_origin_gets_nothing(
    browser: Browser, target: Program, attack: str
) -> None:
    """Neither by reading, listening, writing, running our scripts, nor showing us in a frame."""
    before = state(target)
    with elsewhere() as origin, opened(browser, origin, expected=("",)) as page:
        with answers(page, url(target)) as statuses:
            script = f"try {{ {ATTACKS[attack]} }} catch {{ /* as it should */ }}"
            page.evaluate(f"async (at) => {{ {BODIES} {script} }}", url(target))
        shown = [frame.content() for frame in page.frames]
    assert set(statuses) == {403}
    assert not [text for text in shown if 'id="verdict"' in text]
    assert state(target) == before


def test_a_name_that_begins_to_mean_our_address_gets_nothing(
    browser: Browser, target: Program
) -> None:
    """DNS rebinding: the browser takes us for the origin of the page that asks."""
    at = f"http://{REBOUND}:{target.admin_address[1]}/"
    before = state(target)
    with opened(browser, at, expected=("",)) as page, answers(page, at, 6) as statuses:
        for path in ("", "tasks", "events", "page/theme.js"):
            page.evaluate("(at) => fetch(at).then(() => null)", at + path)
        for path, body in ("log-level", "LEVEL"), ("readiness", "READY"):
            write = f"fetch(at, {{method: 'PUT', body: {body}}}).then(() => null)"
            page.evaluate(f"(at) => {{ {BODIES} return {write}; }}", at + path)
    assert statuses == [421] * 6
    assert state(target) == before
