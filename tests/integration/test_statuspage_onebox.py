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


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Onebox]:
    """The stack, ready, and nobody uses it."""
    with onebox(tmp_path / "data", tmp_path / "output") as box:
        yield box.await_ready()


def test_an_idle_api_tells_of_a_postgresql_that_was_killed(
    browser: Browser, running: Onebox
) -> None:
    """Also when it is back within a second, because onebox starts it again."""
    with opened(browser, running.printed(r"(http://127.0.0.1:\d+) \(api\)")) as page:
        says(page, "#what", WELL)
        pidfile = running.data / "postgres" / "postmaster.pid"
        psutil.Process(int(pidfile.read_text().split()[0])).kill()
        says(page, "#incident-rows", "PostgreSQL")
        says(page, "#what", WELL, 30_000)
        says(page, "#meaning", re.compile("Over: “PostgreSQL|Answers come .* late"))
