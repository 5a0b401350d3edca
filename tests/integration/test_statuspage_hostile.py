"""The status page against what is hostile: markup in an error, and pages of other origins."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser import browser, needs_browser, opened
from tests.integration.test_statuspage import echo, says, url
from tests.program import Program, ports

__all__ = ["browser", "echo"]

pytestmark = [pytest.mark.slow, needs_browser]

MARKUP = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'


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
    "read": "fetch(at + 'tasks').then((r) => r.text()).catch(() => 'refused')",
    "listen": "new Promise((done) => { const s = new EventSource(at + 'events');"
    "s.addEventListener('past', () => done('heard')); s.onerror = () => done('refused'); })",
    "post": "fetch(at + 'livez', {method: 'POST', mode: 'no-cors', body: '{}'})"
    ".then((r) => r.type === 'opaque' ? 'refused' : 'sent').catch(() => 'refused')",
    "script": "new Promise((done) => { const s = document.createElement('script');"
    "s.src = at + 'page/theme.js'; s.onload = () => done('run'); s.onerror = () => done('refused');"
    "document.head.append(s); })",
    "frame": "new Promise((done) => { const f = document.createElement('iframe'); f.src = at;"
    "f.onload = () => { try { done(f.contentDocument ? 'shown' : 'refused'); }"
    "catch { done('refused'); } }; document.documentElement.append(f); })",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_page_of_another_origin_gets_nothing(
    browser: Browser, echo: Program, attack: str
) -> None:
    """Neither by reading, listening, posting, running our scripts, nor showing us in a frame."""
    with elsewhere() as origin, opened(browser, origin, expected=("",)) as page:
        outcome = page.evaluate(f"async (at) => {ATTACKS[attack]}", url(echo))
    assert outcome == "refused"
