"""The flood gate bounds what is written, and says what was not."""

import io
import json
import logging
from typing import Any

import pytest
import structlog

from bellbuoy import logs
from bellbuoy.flood import GRACE, KINDS, OURS, FloodGate
from tests.bellbuoy.test_logs import events, restored

__all__ = ["restored"]


class Time:
    """A clock."""

    def __init__(self) -> None:
        """Start."""
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def time() -> Time:
    """When it is."""
    return Time()


@pytest.fixture
def stream(time: Time) -> io.StringIO:
    """Where logs go."""
    stream = io.StringIO()
    logs.configure("debug", stream, gate=FloodGate(time))
    return stream


def test_a_flood_is_cut_and_counted(stream: io.StringIO, time: Time) -> None:
    """The first of the next while tells of those that were not written."""
    log = structlog.get_logger("test")
    for number in range(OURS.most + 1000):
        log.warning("it sinks", number=number)
    assert len(events(stream)) == OURS.most
    time.now = OURS.seconds
    log.warning("it sinks")
    log.warning("it sinks")
    last, after = events(stream)[-2:]
    assert last["suppressed_before"] == 1000
    assert "suppressed_before" not in after


def test_a_flood_of_one_kind_hides_no_other(stream: io.StringIO) -> None:
    """Events are one if logger and message are."""
    for _ in range(OURS.most + 1):
        structlog.get_logger("test").warning("it sinks")
    structlog.get_logger("test").warning("it floats")
    structlog.get_logger("other").warning("it sinks")
    logging.getLogger("foreign").warning("it sinks")
    told = [(event["logger"], event["message"]) for event in events(stream)[-3:]]
    assert told == [("test", "it floats"), ("other", "it sinks"), ("foreign", "it sinks")]


def test_arguments_do_not_make_another_kind(stream: io.StringIO, time: Time) -> None:
    """Of the standard library's, the message is the template."""
    for number in range(OURS.most + 7):
        logging.getLogger("foreign").warning("number %d", number)
    assert len(events(stream)) == OURS.most
    time.now = OURS.seconds
    logging.getLogger("foreign").warning("number %d", 0)
    assert events(stream)[-1]["suppressed_before"] == 7


def test_what_asyncpg_says_of_an_outage_is_one_line_a_minute(
    stream: io.StringIO, time: Time
) -> None:
    """With a count, and without tracebacks."""
    log = logging.getLogger("asyncpg.pool")
    for second in range(121):
        time.now = float(second)
        for _ in range(10):
            error = ConnectionRefusedError(111)
            log.warning("Failed to restore", exc_info=(type(error), error, None))
    told: list[dict[str, Any]] = events(stream)
    assert [event.get("suppressed_before") for event in told] == [None, 599, 599]
    assert told[0]["message"] == "Failed to restore (ConnectionRefusedError)"
    assert all("exception" not in event for event in told)


def test_the_end_of_a_flood_is_told_though_nothing_comes_after_it(
    stream: io.StringIO, time: Time
) -> None:
    """Once, and only when the flood is over."""
    log = logging.getLogger("asyncpg.pool")
    for _ in range(100):
        log.warning("Failed to restore")
    time.now = 60.0
    logs.flush()
    assert len(events(stream)) == 1
    time.now = 60.0 + GRACE
    for _ in range(3):
        logs.flush()
    _, told = events(stream)
    assert (told["message"], told["suppressed"]) == ("events left out", 99)
    assert (told["of"], told["by"]) == ("Failed to restore", "asyncpg.pool")
    log.warning("Failed to restore")
    assert "suppressed_before" not in events(stream)[-1]


def test_a_flood_that_goes_on_is_told_by_itself_alone(stream: io.StringIO, time: Time) -> None:
    """One line a minute stays one, however often somebody asks."""
    log = logging.getLogger("asyncpg.pool")
    for tick in range(1210):
        time.now = tick / 10
        log.warning("Failed to restore")
        logs.flush()
    assert [event.get("suppressed_before") for event in events(stream)] == [None, 599, 599]


def test_whoever_ends_tells_all_that_is_left(stream: io.StringIO) -> None:
    """The flood may have outlived it."""
    for _ in range(OURS.most + 7):
        structlog.get_logger("test").warning("it sinks")
    logs.flush(last=True)
    assert events(stream)[-1]["suppressed"] == 7


def test_kinds_are_bounded(time: Time) -> None:
    """Somebody may put what varies into the message; all of those share one gate."""
    gate = FloodGate(time)
    for number in range(3 * KINDS):
        gate.filter(logging.makeLogRecord({"name": "test", "msg": f"number {number}"}))
    assert len(gate._kinds) == KINDS + 1


def test_an_event_of_another_process_is_still_one_line_of_json(stream: io.StringIO) -> None:
    """What cannot be shown is shown as what it is, by name."""
    structlog.get_logger("test").info("hello", where=object)
    assert json.loads(stream.getvalue())["where"] == "<class 'object'>"
