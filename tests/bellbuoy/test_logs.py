"""Logs: one event a line, JSON unless a person is watching, whoever speaks."""

import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from bellbuoy import logs


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave the process's logging as it was."""
    root = logging.getLogger()
    handlers, level, raising = list(root.handlers), root.level, logging.raiseExceptions
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = raising
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


class Terminal(io.StringIO):
    """A stream that a person watches."""

    def isatty(self) -> bool:
        """Say so."""
        return True


class Broken(io.StringIO):
    """A pipe that nobody reads any more."""

    def write(self, _: str) -> int:
        """Fail."""
        raise BrokenPipeError


def events(stream: io.StringIO) -> list[dict[str, Any]]:
    """Return what was logged."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_of_json() -> None:
    """With its level, its logger, the time in UTC, and what every event carries."""
    stream = io.StringIO()
    logs.configure("info", stream, service="echo", worker=3)
    structlog.get_logger("bellbuoy.test").info("it floats", depth=7)
    (event,) = events(stream)
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "message": "it floats",
        "depth": 7,
        "level": "info",
        "logger": "bellbuoy.test",
        "service": "echo",
        "worker": 3,
    }


def test_the_standard_library_speaks_the_same() -> None:
    """Foreign packages log through it, with arguments and exceptions."""
    stream = io.StringIO()
    logs.configure("info", stream, service="echo")
    try:
        _fail()
    except RuntimeError:
        logging.getLogger("asyncio").exception("%s went wrong", "it")
    (event,) = events(stream)
    assert (event["message"], event["service"]) == ("it went wrong", "echo")
    assert "RuntimeError: on purpose" in event["exception"]


def _fail() -> None:
    raise RuntimeError("on purpose")


def test_an_event_s_own_field_wins() -> None:
    """Over what every event carries."""
    stream = io.StringIO()
    logs.configure("info", stream, worker=1)
    structlog.get_logger("test").info("hello", worker=2)
    assert events(stream)[0]["worker"] == 2


@pytest.mark.parametrize(
    "level, expected",
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_less_severe_events_are_left_out(level: str, expected: list[str]) -> None:
    """Ours and the standard library's alike."""
    stream = io.StringIO()
    logs.configure(level, stream)
    log, foreign = structlog.get_logger("test"), logging.getLogger("foreign")
    for name in ("debug", "info", "warning", "error"):
        getattr(log, name)("hello")
        getattr(foreign, name)("hello")
    assert [event["level"] for event in events(stream)] == [
        name for name in expected for _ in range(2)
    ]


def test_configuring_again_replaces() -> None:
    """As a worker does after the fork: nothing is written twice, the fields are the new ones."""
    first, second = io.StringIO(), io.StringIO()
    logs.configure("info", first, worker=1)
    log = structlog.get_logger("test")
    logs.configure("info", second, worker=2)
    log.info("hello")
    assert first.getvalue() == ""
    assert [event["worker"] for event in events(second)] == [2]


def test_a_person_reads_text() -> None:
    """On a terminal."""
    stream = Terminal()
    logs.configure("info", stream, service="echo")
    structlog.get_logger("test").warning("it sinks")
    assert "it sinks" in stream.getvalue()
    assert "{" not in stream.getvalue()


def _raise(error: Exception) -> None:
    raise error


class Server(Exception):
    """An error as the driver has it."""

    sqlstate = "23505"
    detail: str | None = "Key (email)=(ada@example.org) already exists."

    def __str__(self) -> str:
        """Say all of it."""
        return f"duplicate key\nDETAIL: {self.detail}"


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_a_traceback_quotes_no_rows(stream: io.StringIO) -> None:
    """Whoever logs it, however deep the error lies; and no variables, which hold what came in."""
    logs.configure("info", stream)
    email = "eve@example.org"
    deep = ExceptionGroup("several", [RuntimeError(len(email)), Server()])
    error = RuntimeError("no")
    error.__cause__ = deep
    logging.getLogger("asyncio").error("never retrieved", exc_info=error)
    try:
        _raise(error)
    except RuntimeError:
        logging.getLogger("asyncio").exception("failed")
        structlog.get_logger("bellbuoy.test").exception("failed")
    text = stream.getvalue()
    assert text.count("duplicate key") == 3
    assert "example.org" not in text.replace('email = "eve@example.org"', "")


def test_warnings_are_logged() -> None:
    """Python's own, such as those of resources that were not closed."""
    stream = io.StringIO()
    logs.configure("info", stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        # catch_warnings undoes what captureWarnings did, so it is done again within.
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("on purpose", stacklevel=1)
    assert "on purpose" in events(stream)[0]["message"]


def test_a_broken_pipe_is_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """It would go to the same pipe."""
    logs.configure("info", Broken())
    structlog.get_logger("test").info("hello")
    assert capsys.readouterr().err == ""
