"""The pictures that the README shows: `make screenshots` takes all of them, of a real onebox."""

import re
from pathlib import Path

import pytest

from tests.browser import needs_browser
from tests.onebox.running import onebox
from tools import screenshots

pytestmark = [pytest.mark.slow, needs_browser]

README = Path(__file__).parents[2] / "README.md"


async def test_every_picture_of_the_readme_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is a PNG of its own; how long the charts have been filling is the only difference."""
    monkeypatch.setattr(screenshots, "WARM", 2.0)
    monkeypatch.setattr(screenshots, "OUTAGE", 2.0)
    shown = set(re.findall(r"docs/screenshots/(\w+[.]png)", README.read_text()))
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    with onebox(tmp_path / "data", tmp_path / "output") as box:
        await screenshots.take(box.await_ready(), pictures)
    taken = {path.name: path.read_bytes() for path in pictures.iterdir()}
    assert set(taken) == shown
    assert all(picture.startswith(b"\x89PNG") for picture in taken.values())
    assert len(set(taken.values())) == len(taken)
