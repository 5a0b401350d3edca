"""Take the pictures of the status page that the README shows.

    PYTHONPATH=services:. python tools/screenshots.py docs/screenshots

A onebox of its own runs under traffic for a good minute; then its PostgreSQL is killed, and
kept from being started again for as long as it takes to look.
"""

import asyncio
import signal
import sys
import tempfile
from pathlib import Path

import psutil
from playwright.async_api import Browser, Page, async_playwright

from tests.browser import CHROMIUM
from tests.crowd import crowd
from tests.onebox.running import Onebox, onebox

WARM = 75.0
"""Seconds of traffic before the first picture: enough for the charts to tell something."""

OUTAGE = 12.0
"""Seconds of outage before the last one."""

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 860}


async def take(box: Onebox, folder: Path) -> None:
    """Take every picture of one running onebox."""
    api, page = box.printed(r"api +(\S+)"), box.printed(r"(http://\S+) \(api\)")
    echo = ("127.0.0.1", int(box.printed(r"echo +127\.0\.0\.1:(\d+)")))
    token = (box.data / "dev.token").read_text().strip()
    async with async_playwright() as driver, crowd(api, token, echo):
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        light = await opened(browser, page, "light", DESK)
        dark = await opened(browser, page, "dark", DESK)
        phone = await opened(browser, page, "light", PHONE)
        await asyncio.sleep(WARM)
        for name, shown in (("light", light), ("dark", dark), ("phone", phone)):
            await shown.screenshot(path=folder / f"{name}.png")
        await lose_database(box, OUTAGE, light, folder / "outage.png")
        await browser.close()


async def opened(browser: Browser, url: str, scheme: str, size: dict[str, int]) -> Page:
    """Show the page in one of its appearances."""
    context = await browser.new_context(color_scheme=scheme, viewport=size)  # type: ignore[arg-type]  # light, dark
    page = await context.new_page()
    await page.goto(url)
    return page


async def lose_database(box: Onebox, seconds: float, page: Page, path: Path) -> None:
    """Kill PostgreSQL while nobody starts it again, and take a picture of that."""
    postmaster = int((box.data / "postgres" / "postmaster.pid").read_text().split()[0])
    box.process.send_signal(signal.SIGSTOP)
    try:
        psutil.Process(postmaster).kill()
        await asyncio.sleep(seconds)
        await page.screenshot(path=path)
    finally:
        box.process.send_signal(signal.SIGCONT)


def main(folder: Path) -> None:
    """Take the pictures into ``folder``."""
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        output, data = Path(place) / "output", Path(place) / "data"
        with onebox(data, output, environ={"BUOY_WORKERS": "2"}) as box:
            asyncio.run(take(box.await_ready(), folder))
    for picture in sorted(folder.glob("*.png")):
        print(f"{picture}  {picture.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
