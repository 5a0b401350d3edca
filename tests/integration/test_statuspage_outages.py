"""The status page in a real browser while PostgreSQL is killed, or falls silent."""

import time

import pytest
from playwright.sync_api import Browser

from tests.browser import barriers, browser, needs_browser, opened
from tests.integration.test_statuspage import (
    SHOWN,
    WELL,
    Record,
    api,
    postgres,
    says,
    url,
    visited,
)
from tests.postgres import Server
from tests.program import Program

__all__ = ["api", "browser", "postgres"]

pytestmark = [pytest.mark.slow, needs_browser]


def test_an_outage_of_postgresql_shows_and_heals(
    browser: Browser, api: Program, postgres: Server, record_property: Record
) -> None:
    """What fails, what works, since when; and afterwards that it was, to who opens it then."""
    with opened(browser, url(api)) as page, visited(api, "/Ada", "/users/1"):
        says(page, "#what", WELL)
        began = time.monotonic()
        postgres.kill()
        try:
            says(page, "#what", "PostgreSQL does not answer")
            record_property("seconds_until_an_outage_shows", time.monotonic() - began)
            says(page, "#meaning", "/users/{id} answers 503; /{name} works.")
            says(page, "#since", "since")
            says(page, "#look", "heals by itself")
            assert page.title().startswith("⚠ PostgreSQL does not answer")
            assert barriers(page) == []
        finally:
            postgres.start()
        says(page, "#what", WELL, 3 * SHOWN)
    with opened(browser, url(api)) as late:
        says(late, "#incident-rows", "PostgreSQL does not answer")


def test_a_postgresql_that_falls_silent_shows_before_anybody_gives_up(
    browser: Browser, api: Program, postgres: Server, record_property: Record
) -> None:
    """That it is away is known when a statement's time is over; that it says nothing, before."""
    with opened(browser, url(api)) as page, visited(api, "/users/1"):
        says(page, "#what", WELL)
        began = time.monotonic()
        postgres.hang()
        try:
            says(page, "#incident-rows", "Statements wait: none has ended")
            record_property("seconds_until_a_silence_shows", time.monotonic() - began)
            says(page, "#what", "PostgreSQL does not answer")
        finally:
            postgres.wake()
        says(page, "#what", WELL, 3 * SHOWN)
