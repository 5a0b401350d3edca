"""`make run`, its status page, and a killed PostgreSQL: understood from the page alone."""

import re
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser

from tests.browser import browser, needs_browser, opened
from tests.integration.test_statuspage import WELL, says
from tests.onebox.running import Onebox, onebox

__all__ = ["browser"]

pytestmark = [pytest.mark.slow, needs_browser]


UNDERSTOOD = 10_000
"""Milliseconds within which the page alone tells what is wrong; `make bench BENCH=page` says how
soon it does."""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Onebox]:
    """The stack, ready, and nobody uses it."""
    with onebox(tmp_path / "data", tmp_path / "output") as box:
        yield box.await_ready()


def kill_postgresql(box: Onebox) -> None:
    """Kill the postmaster."""
    pidfile = box.data / "postgres" / "postmaster.pid"
    psutil.Process(int(pidfile.read_text().split()[0])).kill()


def test_an_idle_api_tells_of_a_postgresql_that_was_killed(
    browser: Browser, running: Onebox
) -> None:
    """While it is away; and also when onebox has it back within a second."""
    with opened(browser, running.printed(r"(http://127.0.0.1:\d+) \(api\)")) as page:
        says(page, "#what", WELL)
        starter = psutil.Process(running.process.pid)
        starter.suspend()
        try:
            kill_postgresql(running)
            says(page, "#incident-rows", "PostgreSQL does not answer", UNDERSTOOD)
        finally:
            starter.resume()
        says(page, "#what", WELL)
        kill_postgresql(running)
        page.locator("#incident-rows li", has_text="PostgreSQL").nth(1).wait_for(timeout=UNDERSTOOD)
        says(page, "#what", WELL)
        says(page, "#meaning", re.compile("Over: “PostgreSQL|Answers come .* late"))
