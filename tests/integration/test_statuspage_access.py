"""The status page for everybody: axe looks for barriers in each of its states and sizes."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Browser

from tests.browser import Scheme, barriers, browser, needs_browser, opened
from tests.integration.test_statuspage import WELL, api, echo, postgres, says, url
from tests.integration.visiting import ask
from tests.program import running

__all__ = ["api", "browser", "echo", "postgres"]

pytestmark = [pytest.mark.slow, needs_browser]


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("service", ["api", "echo"])
def test_everybody_can_read_it(
    browser: Browser, request: pytest.FixtureRequest, service: str, scheme: Scheme, width: int
) -> None:
    """At a desk and on a phone, by day and by night."""
    at = url(request.getfixturevalue(service))
    with opened(browser, at, scheme=scheme, width=width) as page:
        says(page, "#live[data-state=live]", "live")
        assert barriers(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_that_a_worker_is_blocked(browser: Browser, scheme: Scheme) -> None:
    """And that none is left that answers. The outage has a test of its own."""
    with (
        running("web", {"BUOY_WORKERS": "1"}, complaints=("blocked",)) as web,
        ThreadPoolExecutor(1) as thread,
        opened(browser, url(web), scheme=scheme) as page,
    ):
        says(page, "#what", WELL)
        blocked = thread.submit(ask, web.address, "/block?seconds=8")
        says(page, "#what", "Every worker is blocked")
        assert barriers(page) == []
        blocked.result()
