"""``bellbuoy tasks``: what a service's workers are doing, in a terminal.

::

    bellbuoy tasks                                   both services on this machine, once
    bellbuoy tasks --watch                           again every second, until Ctrl-C
    bellbuoy tasks --url http://10.0.0.7:9080        another one; may be given several times

It asks admin ports (``/tasks``) and no worker, so it answers while all of them are blocked.
"""

import argparse
import http.client
import math
import socket
import sys
import threading
import time
import urllib.parse
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import msgspec

from bellbuoy.errors import EnvironmentFault, SettingsError
from bellbuoy.settings import ApiPorts, EchoPorts
from bellbuoy.taskview import TaskView

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

TIMEOUT = 2.0
"""Seconds for a whole answer; an admin process that needs longer is not well."""

LARGEST = 4 * 1024 * 1024
"""Bytes of an answer that are read; 64 names and 50 running tasks take a hundredth of it."""

WIDTH = 160
"""Columns where nobody looks at a terminal: a pipe has no width, and 80 would fold everything."""

LOCAL = tuple(
    f"http://127.0.0.1:{port}" for port in (EchoPorts().echo_admin_port, ApiPorts().api_admin_port)
)
"""The admin ports of ``make run`` and ``make up``."""


@dataclass(frozen=True)
class Reading:
    """What one admin port answered.

    Args:
        url: Where.
        at: When, by ``time.monotonic()``.
        view: What it told, or ``None``.
        problem: Why it told nothing.
    """

    url: str
    at: float
    view: TaskView | None
    problem: str = ""


def add(commands: "argparse._SubParsersAction[Any]") -> None:
    """Declare ``tasks``."""
    parser = commands.add_parser("tasks", help="show what a service's workers are doing")
    parser.add_argument(
        "--url", action="append", help=f"an admin port; {' and '.join(LOCAL)} unless given"
    )
    parser.add_argument("--watch", action="store_true", help="go on until Ctrl-C")
    parser.add_argument(
        "--interval", type=_seconds, default=1.0, help="seconds between two looks (1)"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    console = _console(arguments.environ)
    urls = [_checked(url) for url in arguments.url or LOCAL]
    if arguments.watch:
        return _watch(console, urls, arguments.interval)
    readings = [read(url) for url in urls]
    found = [reading for reading in readings if reading.view]
    if not found:
        raise EnvironmentFault("\n".join(f"{each.url}: {each.problem}" for each in readings))
    for reading in found if not arguments.url else readings:
        console.print(_render(None, reading))
    return 0 if len(found) == len(readings) or not arguments.url else 1


def _watch(console: "Console", urls: list[str], interval: float) -> int:
    from rich.console import Group  # noqa: PLC0415 - an extra that only this word needs
    from rich.live import Live  # noqa: PLC0415

    before: dict[str, Reading] = {}
    try:
        with Live(console=console, auto_refresh=False, screen=console.is_terminal) as live:
            while True:
                readings = [read(url) for url in urls]
                shown = Group(*(_render(before.get(each.url), each) for each in readings))
                if console.is_terminal:
                    live.update(shown, refresh=True)
                else:
                    console.print(shown)
                    sys.stdout.flush()
                before = {each.url: each for each in readings if each.view}
                time.sleep(interval)
    except KeyboardInterrupt:
        return 0


def _render(before: Reading | None, now: Reading) -> "RenderableType":
    from bellbuoy.cli.tasktable import render  # noqa: PLC0415 - it imports rich

    if now.view is None:
        return f"{now.url}: {now.problem}\n"
    if before is None or before.view is None:
        return render(now.url, now.view)
    return render(now.url, now.view, before.view, now.at - before.at)


def read(url: str) -> Reading:
    """Ask one admin port; what goes wrong is part of the reading, in one line."""
    view, problem = None, ""
    try:
        view = msgspec.json.decode(_fetch(f"{url}/tasks"), type=TaskView)
    except _Refused as refused:
        problem = f"answers {_line(refused)}"
    except msgspec.DecodeError:
        problem = "answers, but is no admin port of ours"
    except (OSError, UnicodeError) as error:  # the latter: a name that cannot be one
        problem = f"no answer: {_line(error)}"
    except http.client.HTTPException as error:
        problem = f"answers, but not as HTTP has it: {_line(error)}"
    return Reading(url, time.monotonic(), view, problem)


class _Refused(Exception):
    """An answer that is none."""


def _fetch(url: str) -> bytes:
    """Return what ``url`` answers, without any proxy: an admin port is meant as it is written.

    Raises:
        TimeoutError: It took longer than :data:`TIMEOUT`, at once or drop by drop.
    """
    parts = urllib.parse.urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    end = time.monotonic() + TIMEOUT
    with closing(kind(cast("str", parts.hostname), parts.port, timeout=TIMEOUT)) as connection:
        connection.connect()
        # A socket's timeout is one for each read, and a drop a second would be in time for ever.
        cut = threading.Timer(TIMEOUT, _cut, (connection.sock,))
        cut.start()
        try:
            body, error = _ask(connection, parts.path), None
        except (OSError, http.client.HTTPException) as broken:
            body, error = b"", broken
        finally:
            cut.cancel()
    # What was cut off may look like the end.
    if time.monotonic() >= end:
        raise TimeoutError(f"none within {TIMEOUT:g} s") from error
    if error:
        raise error
    return body


def _ask(connection: http.client.HTTPConnection, path: str) -> bytes:
    connection.request("GET", path)
    # It keeps the socket open as long as it is not closed itself.
    with connection.getresponse() as answer:
        if answer.status != http.client.OK:
            raise _Refused(f"{answer.status} {answer.reason}")
        body = answer.read(LARGEST)
        if answer.length:
            raise http.client.IncompleteRead(body)
        return body


def _cut(connected: socket.socket) -> None:
    # The plain socket's, also below TLS: it ends the other thread's read.
    with suppress(OSError):  # it has just been closed
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


def _line(reason: object) -> str:
    return " ".join(str(reason).split())[:200] or type(reason).__name__


def _checked(url: str) -> str:
    parts = urllib.parse.urlsplit(url if "//" in url else f"http://{url}")
    if parts.scheme not in {"http", "https"} or not parts.hostname or not _has_port(parts):
        raise SettingsError([f"--url {url}: an address such as http://127.0.0.1:9080"])
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/tasks')}"


def _has_port(parts: urllib.parse.SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def _console(environ: Mapping[str, str]) -> "Console":
    try:
        from rich.console import Console  # noqa: PLC0415
    except ImportError as error:
        raise EnvironmentFault(
            "bellbuoy tasks needs rich, which is not installed: pip install 'bellbuoy[cli]'"
        ) from error
    console = Console(highlight=False, markup=False)
    if not console.is_terminal and "COLUMNS" not in environ:
        console.width = WIDTH
    return console


def _seconds(text: str) -> float:
    seconds = float(text)
    if not (math.isfinite(seconds) and 0.1 <= seconds <= 3600):  # noqa: PLR2004
        raise argparse.ArgumentTypeError("from 0.1 to 3600")
    return seconds
