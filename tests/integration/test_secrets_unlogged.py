"""No secret is ever written: everything that a full, unhappy run left behind is searched."""

import contextlib
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from tests.onebox.running import Onebox, eventually, onebox

pytestmark = pytest.mark.slow

API = r"api +(http://127.0.0.1:\d+)"
ADMIN = r"(http://127.0.0.1:\d+) \(api\)"


CHATTY = {"BUOY_LOG_LEVEL": "debug", "BUOY_LOOP": "asyncio"}
"""Asyncio's own loop has something to say at that level."""


def secrets(data: Path) -> dict[str, str]:
    """Return every secret that was made, by its file."""
    files = [data / "dev.token", data / "admin.token", *(data / "secrets").iterdir()]
    found = {path.name: path.read_text().strip() for path in files}
    return {name: secret for name, secret in found.items() if secret}  # a lock is an empty file


def written(data: Path, output: Path) -> str:
    """Return what the run wrote: both of its streams, and PostgreSQL's log."""
    files = [*output.iterdir(), *data.glob("*.log*")]
    return "\n".join(path.read_text(errors="replace") for path in files)


def ask(url: str, token: str) -> None:
    """Ask with a token; whatever comes of it."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})  # noqa: S310
    with contextlib.suppress(OSError):
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310


def status(url: str) -> int:
    """Return the status of an answer, 0 if there is none."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_no_secret_is_written_whatever_happens(tmp_path: Path) -> None:
    """At the chattiest level: traffic, wrong tokens, a killed worker, a killed database."""
    data = tmp_path / "data"
    with onebox(data, tmp_path / "out", environ=CHATTY) as box:
        box.await_ready()
        api, admin = box.printed(API), box.printed(ADMIN)
        known = secrets(data)
        assert len(known) >= 4
        for url in (f"{api}/users/1", f"{api}/users?limit=x", f"{api}/{known['dev.token']}x"):
            ask(url, known["dev.token"])
            ask(url, "wrong" + known["dev.token"])
        for path in ("/tasks", "/metrics"):
            ask(admin + path, known["dev.token"])
        _kill(box, "postgres")
        ask(f"{api}/users/1", known["dev.token"])
        eventually(lambda: status(f"{admin}/readyz") == 200, "the api")
        _kill(box, "api")
        eventually(lambda: status(f"{admin}/readyz") == 200, "the api")
        ask(f"{api}/users/1", known["dev.token"])
        box.end()
        text = written(data, tmp_path / "out")
    assert '"level": "debug"' in text
    assert "worker died" in text
    assert [name for name, secret in known.items() if secret in text] == []


def _kill(box: Onebox, name: str) -> None:
    """Kill the first child of a part."""
    parts = psutil.Process(box.process.pid).children()
    part = next(each for each in parts if name in " ".join(each.cmdline()))
    victim = part if name == "postgres" else part.children()[0]
    victim.kill()
