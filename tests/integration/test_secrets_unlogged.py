"""No secret is ever written: everything that a full, unhappy run left behind is searched."""

import json
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from tests.onebox.running import Onebox, eventually, onebox

pytestmark = pytest.mark.slow

API = r"api +(http://127.0.0.1:\d+)"
ADMIN = r"(http://127.0.0.1:\d+) \(api\)"
ECHO_ADMIN = r"(http://127.0.0.1:\d+) \(echo\)"


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


def ask(url: str, token: str, method: str = "GET", body: bytes | None = None) -> str:
    """Ask with a token; return what is answered, heads and bodies, whatever it is."""
    headers = {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return f"{answer.headers}\n{answer.read().decode()}"
    except urllib.error.HTTPError as error:
        with error:
            return f"{error.headers}\n{error.read().decode()}"
    except OSError as error:
        return str(error)


def heard(admin: str) -> str:
    """Return the first events of the status page's feed: the past, and a moment."""
    with urllib.request.urlopen(f"{admin}/events", timeout=10) as feed:  # noqa: S310
        return b"".join(feed.readline() for _ in range(8)).decode()


def written_on(admin: str, token: str) -> str:
    """Write everything that can be written on an admin port; return the answers."""
    bodies = {"/log-level": b'{"level": "debug"}', "/readiness": b'{"ready": true}'}
    # What a client says of itself it may be answered; nobody else is told.
    for path, body in (token, b"{}"), ("log-level", json.dumps({"level": token}).encode()):
        ask(f"{admin}/{path}", token, "PUT", body)
    return "\n".join(
        ask(admin + path, each, method, body)
        for path, body in bodies.items()
        for method in ("PUT", "POST")
        for each in (token, "wrong" + token, token[:-1])
    )


def shown(admin: str) -> str:
    """Return all that an admin port shows to who asks, and who asks with a token."""
    paths = ("/", "/tasks", "/metrics", "/log-level", "/readiness", "/readyz", "/livez")
    return "\n".join([*(ask(admin + path, "") for path in paths), heard(admin)])


def status(url: str) -> int:
    """Return the status of an answer, 0 if there is none."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_no_secret_is_written_or_shown_whatever_happens(tmp_path: Path) -> None:
    """At the chattiest level: traffic, tokens right and wrong, killed workers, a killed database.

    What both streams of every process and PostgreSQL wrote is searched, and what the admin ports
    answer to everything: metrics, tasks, the status page and its feed, each write.
    """
    data = tmp_path / "data"
    with onebox(data, tmp_path / "out", environ=CHATTY) as box:
        box.await_ready()
        api, *admins = (box.printed(each) for each in (API, ADMIN, ECHO_ADMIN))
        known = secrets(data)
        assert len(known) >= 4
        dev, operator = known["dev.token"], known["admin.token"]
        told = [
            ask(url, token)
            for url in (f"{api}/users/1", f"{api}/users?limit=x")
            for token in (dev, "wrong" + dev, operator)
        ]
        ask(f"{api}/{dev}x", dev)  # greeted by that name
        told += [ask(f"{api}/users", dev, "POST", json.dumps({"name": dev}).encode())]
        for admin in admins:
            told += [written_on(admin, operator), shown(admin)]
        _kill(box, "postgres")
        told += [ask(f"{api}/users/1", dev), *map(shown, admins)]
        eventually(lambda: status(f"{admins[0]}/readyz") == 200, "the api")
        _kill(box, "api")
        eventually(lambda: status(f"{admins[0]}/readyz") == 200, "the api")
        told += [ask(f"{api}/users/1", dev), *map(shown, admins)]
        box.end()
        text = written(data, tmp_path / "out")
    assert '"level": "debug"' in text
    assert "worker died" in text
    assert text.count("log level ordered") == len(admins)
    answers = "\n".join(told)
    assert "asyncmonitor_task_started_total" in answers
    assert "event: " in answers
    assert exposed(known, text) == []
    assert exposed(known, answers) == []


def exposed(known: dict[str, str], text: str) -> list[str]:
    """Return the secrets of which a text holds so much that one could find the rest."""
    return [name for name, secret in known.items() if secret[:-1] in text or secret[1:] in text]


def _kill(box: Onebox, name: str) -> None:
    """Kill the first child of a part."""
    parts = psutil.Process(box.process.pid).children()
    part = next(each for each in parts if name in " ".join(each.cmdline()))
    victim = part if name == "postgres" else part.children()[0]
    victim.kill()
