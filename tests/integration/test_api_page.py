"""The page at /docs in a real browser: it works, and loads nothing from elsewhere."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.api.serving import known_tokens
from tests.program import Program, ports

CHROMIUM = shutil.which("chromium")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM and "CI" not in os.environ, reason="looks with chromium"),
]

TIMEOUT = 60_000
"""Milliseconds for what takes one second on an idle machine."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Run the api without PostgreSQL; yields its address."""
    (folder / "password").write_text("secret")
    nowhere = {"BUOY_DB_PORT": "1", "BUOY_DB_PASSWORD_FILE": str(folder / "password")}
    environ = {**known_tokens(folder), **nowhere, "BUOY_WORKERS": "1"}
    program = Program([sys.executable, "-m", "api"], ports("api") | environ)
    try:
        yield "http://{}:{}".format(*program.address)
    finally:
        program.end()


def test_a_greeting_is_tried_on_the_page(tmp_path: Path) -> None:
    """Every operation is there; trying one works; nothing is complained of or fetched outside."""
    complaints: list[str] = []
    asked: list[str] = []
    with served(tmp_path) as url, sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(TIMEOUT)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{url}/docs")
        page.wait_for_selector(".opblock")
        operations = page.locator(".opblock").count()
        greeting = page.locator("#operations-greeting-greet")
        greeting.locator(".opblock-summary").click()
        greeting.locator(".try-out__btn").click()
        greeting.locator(".execute").click()
        greeting.locator(".live-responses-table .microlight").first.wait_for()
        answer = greeting.locator(".live-responses-table").inner_text()
        browser.close()
    assert complaints == []
    assert [each for each in asked if not each.startswith((url, "data:"))] == []
    assert "Hello, Ada!" in answer
    assert operations == 13
