"""The status page in a real browser, beside real services on a real PostgreSQL."""

import asyncio
import http.client
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest
from playwright.sync_api import Browser, Page

from bellbuoy.host.statuspage.feed import MOST
from tests.api.serving import AUTHORIZED, known_tokens
from tests.browser import browser, needs_browser, opened
from tests.clients import connect, connected, is_echoed
from tests.integration.test_api_deaths import fill
from tests.postgres import Server, serve
from tests.program import Program, ports, running
from tests.waiting import eventually

__all__ = ["browser"]

pytestmark = [pytest.mark.slow, needs_browser]

SHOWN = 30_000
"""Milliseconds for what is designed to show within 2,000, on a machine that does other things."""

WELL = re.compile("All is well|The event loop is late")
"""What it says in health; on a machine busy with other tests loops are late, and that is told."""

CUT = ("ERR_", "Failed to load resource")
"""What Chromium itself says when a connection is cut; a page cannot keep it from that."""

Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server to stop and start again."""
    with serve(tmp_path_factory.mktemp("postgres")) as server:
        with ThreadPoolExecutor(1) as thread:  # Playwright's loop has the main one
            thread.submit(lambda: asyncio.run(fill(server.database()))).result()
        yield server


@pytest.fixture(scope="module")
def api(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """An api with two workers."""
    environ = {
        **ports("api"),
        **postgres.database().environ(),
        **known_tokens(tmp_path_factory.mktemp("tokens")),
        "BUOY_WORKERS": "2",
    }
    program = Program([sys.executable, "-m", "api"], environ)
    try:
        program.await_workers(2)
        yield program
    finally:
        left = program.end()
    assert left == []


@pytest.fixture(scope="module")
def echo() -> Iterator[Program]:
    """An echo service with two workers, which get killed."""
    with running("echo", {"BUOY_WORKERS": "2"}, complaints=("worker died",)) as program:
        program.await_workers(2)
        yield program


def url(program: Program) -> str:
    """Return where the page is."""
    host, port = program.admin_address
    return f"http://{host}:{port}/"


def says(page: Page, selector: str, text: str | re.Pattern[str], within: float = SHOWN) -> None:
    """Wait until an element contains a text."""
    page.locator(selector).filter(has_text=text).first.wait_for(timeout=within)


@contextmanager
def visited(program: Program, *paths: str) -> Iterator[None]:
    """Ask for these paths again and again, whatever is answered."""
    done = threading.Event()

    def visit() -> None:
        while not done.is_set():
            client = http.client.HTTPConnection(*program.address, timeout=10)
            with suppress(OSError, http.client.HTTPException):
                for path in (*paths, *paths, *paths):
                    client.request("GET", path, headers=AUTHORIZED)
                    client.getresponse().read()
                    done.wait(0.02)
            client.close()

    thread = threading.Thread(target=visit)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_values_move_under_traffic(browser: Browser, api: Program, echo: Program) -> None:
    """Requests of the api, messages of echo; tasks, too."""
    with opened(browser, url(api)) as page:
        says(page, "#what", WELL)
        says(page, "#service", "api")
        assert page.locator(".chart h3").count() >= 8
        with visited(api, "/", "/users/1"):
            page.wait_for_function(
                "() => parseFloat(document.querySelector('.chart .figure').textContent) > 5",
                timeout=SHOWN,
            )
            says(page, "#task-rows th", "users.get")
            says(page, "#look", "requests a second")
    with opened(browser, url(echo)) as page, connect(echo.address) as client:
        says(page, "#service", "echo")
        assert is_echoed(client)
        says(page, ".chart:has(h3:text('Connections')) .figure", "1")
        says(page, "#task-rows th", "echo.connection")


def test_how_many_run_is_told_beyond_the_oldest(browser: Browser, echo: Program) -> None:
    """Each worker shows but its 20 oldest."""
    with opened(browser, url(echo)) as page, connected(echo.address, 50):
        says(page, "#running-rows li:has-text('echo.connection')", "one of 50 running")


def test_a_killed_worker_shows(browser: Browser, echo: Program, record_property: Record) -> None:
    """In words, with the process that took its place."""
    with opened(browser, url(echo)) as page:
        says(page, "#what", WELL)
        victim = echo.traffic()[0]
        says(page, "#process-rows", str(victim))
        began = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        # The first word may be for what is as bad: on a busy machine a loop is late or blocked.
        says(page, "#incident-rows", "A worker died: killed by a signal", 2 * SHOWN)
        record_property("seconds_until_a_killed_worker_shows", time.monotonic() - began)
        says(page, "#what", re.compile("A worker died|blocked|late|All is well again"))
        page.wait_for_function(
            "pid => !document.getElementById('process-rows').textContent.includes(pid)",
            arg=str(victim),
            timeout=SHOWN,
        )


def test_it_goes_on_by_itself_after_the_admin_process_was_killed(
    browser: Browser, api: Program
) -> None:
    """The page is not loaded again."""
    with opened(browser, url(api), expected=CUT) as page:
        says(page, "#live", "live")
        page.evaluate("window.sameDocument = true")
        (victim,) = api.admin()
        admin = page.locator("#process-rows tr:has-text('admin')")
        assert str(victim) in (admin.text_content() or "")
        os.kill(victim, signal.SIGKILL)
        page.wait_for_function(
            "pid => { const row = [...document.querySelectorAll('#process-rows tr')]"
            ".find((each) => each.textContent.startsWith('admin'));"
            "return row && !row.textContent.includes(pid); }",
            arg=str(victim),
            timeout=3 * SHOWN,
        )
        says(page, "#live[data-state=live]", "live")
        assert page.evaluate("window.sameDocument")


def test_it_says_that_nothing_comes_any_more(browser: Browser, echo: Program) -> None:
    """A page that stands still must not be believed."""
    with opened(browser, url(echo), expected=CUT) as page:
        says(page, "#live", "live")
        (admin,) = echo.admin()
        os.kill(admin, signal.SIGSTOP)
        try:
            says(page, "#what", "The admin process does not answer", 2 * SHOWN)
        finally:
            os.kill(admin, signal.SIGCONT)
        says(page, "#live[data-state=live]", "live", 2 * SHOWN)


@contextmanager
def reading(program: Program, count: int) -> Iterator[list[http.client.HTTPConnection]]:
    """Be so many readers of the feed; each that is closed gives up its seat."""
    clients = [http.client.HTTPConnection(*program.admin_address, timeout=10) for _ in range(count)]
    try:
        for client in clients:
            client.request("GET", "/events")
            assert client.getresponse().status == 200
        yield clients
    finally:
        for client in clients:
            client.close()


def is_crowded(program: Program) -> bool:
    """Return whether one more reader is refused."""
    with suppress(AssertionError), reading(program, 1):
        return False
    return True


def test_a_reader_without_a_seat_is_told_so(browser: Browser, echo: Program) -> None:
    """It is no admin process that does not answer; with a free seat it goes on by itself."""
    with reading(echo, MOST) as others, opened(browser, url(echo), expected=CUT) as page:
        says(page, "#what", "Too many windows show this page")
        began = time.monotonic()
        with page.expect_request("**/events"):
            pass  # it waits at its end
        assert time.monotonic() - began > 2  # Retry-After says 5 s
        assert "Too many windows" in (page.locator("#what").text_content() or "")
        others[0].close()
        says(page, "#live[data-state=live]", "live", 2 * SHOWN)
        says(page, "#service", "echo")


HIDE = """isHidden => {
    Object.defineProperty(document, 'hidden', {value: isHidden, configurable: true});
    document.dispatchEvent(new Event('visibilitychange'));
}"""


def test_a_page_that_nobody_sees_takes_no_seat(browser: Browser, echo: Program) -> None:
    """A browser has six connections for a host; seen again, it knows what it missed."""
    with opened(browser, url(echo)) as page:
        says(page, "#live", "live")
        with reading(echo, MOST - 1):
            assert is_crowded(echo)
            page.evaluate(HIDE, arg=True)
            eventually(lambda: not is_crowded(echo))
            assert "paused" in page.title()
            page.evaluate(HIDE, arg=False)
            says(page, "#live[data-state=live]", "live", 2 * SHOWN)
            eventually(lambda: is_crowded(echo))


@pytest.mark.parametrize("width", [360, 768])
def test_it_fits_a_phone(browser: Browser, api: Program, width: int) -> None:
    """Nothing has to be scrolled sideways."""
    with opened(browser, url(api), width=width) as page:
        says(page, "#what", WELL)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_theme_can_be_chosen_and_stays_chosen(browser: Browser, echo: Program) -> None:
    """By keyboard, too; it is kept in the browser and is no cookie."""
    with opened(browser, url(echo), scheme="light") as page:
        says(page, "#live", "live")
        colour = "getComputedStyle(document.body).backgroundColor"
        light = page.evaluate(colour)
        page.locator("#theme").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        says(page, "#theme", "Theme: dark")
        assert page.evaluate(colour) != light
        page.reload()
        says(page, "#theme", "Theme: dark")
        assert page.context.cookies() == []
