"""The tables of the status page in a real browser: they show what was done to the service."""

import http.client

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import browser, needs_browser, opened
from tests.integration.test_statuspage import SHOWN, says, url
from tests.integration.visiting import ask
from tests.program import running

__all__ = ["browser"]

pytestmark = [pytest.mark.slow, needs_browser]

ROW = """[...document.querySelectorAll('#task-rows tr')]
    .find((each) => each.querySelector('th span').textContent === 'web.wait')"""

OUTCOMES = f"""expected => [...({ROW})?.querySelectorAll('td') ?? []]
    .slice(3).map((cell) => cell.textContent).join() === expected"""
"""Whether the row of the task says this: how many run, completed, failed and so on."""

PEAKS = f"""() => {{
    const points = ({ROW}).querySelector('.spark polyline').getAttribute('points').split(' ');
    const heights = points.map((point) => parseFloat(point.split(',')[1]));
    return Math.min(...heights) === 1.5 && Math.max(...heights) === 18.5;
}}"""
"""Whether its sparkline reaches the top, and the bottom in a second in which nothing began."""


def counts(page: Page, outcomes: str) -> None:
    """Wait until the task's row says this."""
    page.wait_for_function(OUTCOMES, arg=outcomes, timeout=SHOWN)


def test_the_tables_show_what_was_done(browser: Browser) -> None:
    """Refusals by their reason, what runs and where it waits, how often and how tasks ended."""
    with running("web") as program:
        program.await_workers(1)
        with opened(browser, url(program)) as page:
            says(page, "#no-refusals", "Nobody was turned away.")
            assert [ask(program.address, "/refuse") for _ in range(3)] == [503] * 3
            assert [ask(program.address, "/wait?seconds=0.01") for _ in range(2)] == [200] * 2
            says(page, "#refusal-rows tr", "requests: too many at the same time3")
            assert page.locator("#no-refusals").is_hidden()
            counts(page, "0,2,0,0,0,0")
            page.wait_for_function(PEAKS, timeout=SHOWN)
            waiting = http.client.HTTPConnection(*program.address, timeout=20)
            waiting.request("GET", "/wait?seconds=60")
            says(page, "#running-rows li", "web.wait")
            counts(page, "1,2,0,0,0,0")
            waiting.close()
            counts(page, "0,2,0,0,1,0")
            page.wait_for_function(
                "() => !document.getElementById('running-rows').textContent.includes('web.wait')",
                timeout=SHOWN,
            )
        assert program.stop() == 0
