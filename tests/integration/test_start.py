"""Starts that fail: one clear message, or a service that keeps the rest of itself upright."""

import socket
from datetime import datetime

import pytest

from tests.program import Program, loop, running
from tests.waiting import eventually

__all__ = ["loop"]

pytestmark = pytest.mark.slow

ANY = [""]
"""Whatever it says is the test's business."""


@pytest.mark.parametrize(
    "variable, what", [("BUOY_ECHO_PORT", "client"), ("BUOY_ECHO_ADMIN_PORT", "admin")]
)
def test_a_port_in_use_is_one_clear_message(variable: str, what: str) -> None:
    """It says which port, and what chooses another; the status is 1."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = str(holder.getsockname()[1])
        with running("echo", {variable: port}, complaints=ANY) as program:
            assert program.wait() == 1, what
    (line,) = program.lines
    assert line.startswith(f"echo: cannot listen on 127.0.0.1 port {port}: Address already in use")
    assert line.endswith(f"{variable} chooses another port\n")
    assert program.events == []


def test_an_address_of_another_machine_is_one_clear_message() -> None:
    """TEST-NET-1 is nobody's."""
    with running("echo", {"BUOY_HOST": "192.0.2.1"}, complaints=ANY) as program:
        assert program.wait() == 1
    (line,) = program.lines
    assert line.startswith("echo: cannot listen on 192.0.2.1 port 0: ")


def test_all_mistakes_in_the_settings_are_told_at_once() -> None:
    """One line each, and the status is 1."""
    mistakes = {"BUOY_WORKERS": "many", "BUOY_LOOP": "trio", "BUOY_ECHO_PORT": "70000"}
    with running("echo", mistakes, complaints=ANY) as program:
        assert program.wait() == 78
    told = sorted(line.removeprefix("echo: ").partition("=")[0] for line in program.lines)
    assert told == sorted(mistakes)


def test_a_misspelt_setting_is_a_warning() -> None:
    """A newer ConfigMap must not stop an older image."""
    with running("echo", {"BUOY_WORKER": "2"}) as program:
        warning = program.event("unknown setting")
        program.await_workers(1)
        assert program.stop() == 0
    assert warning["level"] == "warning"
    assert "did you mean BUOY_WORKERS?" in warning["detail"]


@pytest.mark.parametrize("workers", ["1", "3"])
def test_a_service_that_never_boots_gives_up(loop: str, workers: str) -> None:
    """After a few attempts, each with its traceback, it says so and exits; nobody is left."""
    environ = {"BUOY_LOOP": loop, "BUOY_WORKERS": workers}
    with running("broken", environ, complaints=ANY) as program:
        assert program.wait() == 3
    assert program.lines == []
    failures = program.logged("worker failed")
    assert 5 <= len(failures) <= 8
    assert all("no service, on purpose" in event["exception"] for event in failures)
    assert program.logged("Reason: no worker could boot")
    assert program.logged("stopped", worker=0), "the admin process left in order"


def test_a_readiness_that_fails_is_a_boot_failure_that_is_tried_again(loop: str) -> None:
    """The service was open, so the container is not given up; deaths are counted."""
    environ = {"BUOY_LOOP": loop, "BUOY_BROKEN_PLACE": "ready"}
    with running("broken", environ, complaints=ANY) as program:
        died = "bellbuoy_worker_deaths_total"
        eventually(lambda: program.metrics().value(died, how="exit") >= 3)
        eventually(lambda: len(program.logged("worker died", how="exit")) >= 3)
        assert program.get("/readyz").status == 503
        assert program.stop() == 0


def test_a_worker_that_keeps_dying_is_tried_again_with_pauses(loop: str) -> None:
    """Eight times within ten seconds at most, where gunicorn would fork a hundred times."""
    environ = {"BUOY_LOOP": loop, "BUOY_BROKEN_PLACE": "served"}
    with running("broken", environ, complaints=["worker died"]) as program:
        pauses = [_forked_after(program, count) for count in range(1, 6)]
        assert program.get("/livez").status in {200, 503}
        assert program.stop() == 0
    # At once, 0.25, 0.5, 1, 2: far apart enough that a busy machine blurs nothing.
    assert sum(pauses) > 2.5


def _forked_after(program: Program, deaths: int) -> float:
    """Return the seconds from one death to the next: a pause and a short life."""
    eventually(lambda: len(program.logged("worker died")) > deaths)
    first, second = program.logged("worker died")[deaths - 1 : deaths + 1]
    began, ended = (datetime.fromisoformat(each["timestamp"]) for each in (first, second))
    return (ended - began).total_seconds()


def test_a_service_that_is_not_ready_is_live(loop: str) -> None:
    """It waits for what it needs, as long as that takes, and stops when told to."""
    environ = {"BUOY_LOOP": loop, "BUOY_BROKEN_PLACE": "never"}
    with running("broken", environ) as program:
        eventually(lambda: program.metrics().value("bellbuoy_workers", state="starting") == 1)
        assert program.get("/livez").status == 200
        assert program.get("/readyz").status == 503
        assert program.stop() == 0


def test_unknown_pages_of_the_admin_port_are_problems() -> None:
    """404 and 405 as RFC 9457 has it, without versions."""
    with running("echo") as program:
        program.await_workers(1)
        answer = program.get("/nothing")
        assert answer.status == 404
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["detail"] == "There is nothing at this path."
        assert answer.headers["Server"] == "bellbuoy"
        assert program.stop() == 0
