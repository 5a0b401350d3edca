"""A real browser: Debian's Chromium, driven by Playwright, and what its pages complained of."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it has no types
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"

Scheme = Literal["light", "dark"]

needs_browser = pytest.mark.skipif(
    "CI" not in os.environ and not os.path.exists(CHROMIUM),  # noqa: PTH110 - read at import
    reason="there is no chromium here",
)
"""Without one a test is skipped, and fails where it is CI that has none."""


@contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """Run a browser; as root it needs to be told that it may."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", *arguments]
        )
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all tests of a module; each opens a page of its own."""
    with chromium() as running:
        yield running


@contextmanager
def opened(
    browser: Browser,
    url: str,
    *,
    scheme: Scheme = "light",
    width: int = 1280,
    expected: tuple[str, ...] = (),
) -> Iterator[Page]:
    """Show a page to somebody new; fail if it complains of anything that is not ``expected``."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
    complaints: list[str] = []
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        page.goto(url)
        yield page
    finally:
        context.close()
    assert [text for text in complaints if not any(word in text for word in expected)] == []


def barriers(page: Page) -> list[tuple[str, list[str]]]:
    """Return what axe calls serious or worse, in colours, names and order."""
    found = Axe().run(page).response["violations"]
    serious = [each for each in found if each["impact"] in {"serious", "critical"}]
    return [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in serious]
