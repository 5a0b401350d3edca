"""The access log: who has a line, and what does not stand in it."""

import pytest
import structlog.testing
from aiohttp.test_utils import make_mocked_request

from bellbuoy.host.web.accesslog import (
    BURST,
    FAILED,
    LATE,
    LINES,
    OVER,
    SAMPLED,
    AccessLog,
    Answered,
)

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    "status, seconds, event",
    [
        (200, 0.1, None),
        (200, 1.1, LATE),
        (500, 0.1, FAILED),
        (500, 1.1, LATE),
        (404, 0.1, None),
        (503, 0.1, None),
        (503, 15.0, LATE),
    ],
)
def test_slow_and_failed_requests_have_a_line(
    status: int, seconds: float, event: str | None
) -> None:
    """A refusal does not: it is counted, and an outage must not fill the disk."""
    assert AccessLog().event(status, seconds) == event


@pytest.mark.parametrize("sample, lines", [(0.0, 0), (0.01, 10), (0.3, 333), (1.0, 1000)])
def test_of_the_rest_a_sample_has(sample: float, lines: int) -> None:
    """Every so many-th, by count and not by chance."""
    log = AccessLog(sample)
    assert [log.event(200, 0.0) for _ in range(1000)].count(SAMPLED) == lines


def test_too_many_lines_are_counted_instead_of_written() -> None:
    """The next line says how many."""
    now = [0.0]
    log = AccessLog(clock=lambda: now[0])
    events = [log.event(500, 0.0) for _ in range(1000)]
    assert events.count(FAILED) == BURST
    now[0] += 1
    event = log.event(500, 0.0)
    assert event == FAILED
    with structlog.testing.capture_logs() as lines:
        request = make_mocked_request("GET", "/")
        log.write(event, request, Answered("id", "/", 500, 0.0, 0))
        log.write(event, request, Answered("id", "/", 500, 0.0, 0))
    assert [line.get("suppressed") for line in lines] == [1000 - BURST, None]


def test_the_end_of_a_flood_is_told_though_no_line_follows() -> None:
    """Once, a second after it; or when the worker ends."""
    now = [0.0]
    log = AccessLog(clock=lambda: now[0])
    with structlog.testing.capture_logs() as lines:
        for _ in range(BURST + 7):
            log.event(500, 0.0)
        now[0] += OVER / 2
        log.tell()
        assert lines == []
        now[0] += OVER / 2
        for _ in range(3):
            log.tell()
        assert [line["suppressed"] for line in lines] == [7]
        for _ in range(BURST):
            log.event(500, 0.0)
        log.tell(last=True)
    assert [line["suppressed"] for line in lines] == [7, BURST - int(LINES * OVER)]


def test_a_line_tells_what_is_needed_and_nothing_of_the_client() -> None:
    """The route and not the path, the trace if there is one; all lines carry the worker."""
    headers = {"traceparent": TRACEPARENT, "Content-Length": "7", "Cookie": "secret"}
    with structlog.testing.capture_logs() as lines:
        request = make_mocked_request("GET", "/users/secret?secret", headers=headers)
        AccessLog().write(SAMPLED, request, Answered("id", "/users/{id}", 200, 0.1234567, 9))
    (line,) = lines
    assert line == {
        "event": "request",
        "log_level": "info",
        "request_id": "id",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "parent_id": "00f067aa0ba902b7",
        "method": "GET",
        "route": "/users/{id}",
        "status": 200,
        "seconds": 0.123457,
        "request_bytes": 7,
        "response_bytes": 9,
    }
