"""What gunicorn says goes through our log."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
from gunicorn.config import Config

from bellbuoy import logs
from bellbuoy.host.gunicornlog import Logger


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the log goes; afterwards everything is as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    logs.configure("info", stream, service="test")
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def test_warnings_are_events_of_ours(stream: io.StringIO) -> None:
    """One JSON line, with our fields; what it says of its own life is left out."""
    log = Logger(Config())
    log.info("Booting worker with pid: %s", 7)
    log.critical("WORKER TIMEOUT (pid:%s)", 7)
    (line,) = stream.getvalue().splitlines()
    event = json.loads(line)
    assert (event["message"], event["level"]) == ("WORKER TIMEOUT (pid:7)", "critical")
    assert event["service"] == "test"


def test_it_installs_no_handlers_of_its_own(stream: io.StringIO) -> None:
    """Nothing is written twice."""
    log = Logger(Config())
    assert log.error_log.handlers == []
    assert stream.getvalue() == ""
