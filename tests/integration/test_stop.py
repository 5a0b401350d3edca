"""Signals: which ones stop a service, how, and which ones it refuses."""

import http.client
import os
import signal
import subprocess
import sys
from select import select
from time import monotonic

import pytest

from bellbuoy.host.arbiter import REPEAT
from tests.clients import connect, connected, is_echoed, read_exactly
from tests.program import PROGRAMS, ROOT, UNMEASURED, Program, loop, running
from tests.waiting import eventually

__all__ = ["loop"]

pytestmark = pytest.mark.slow

REFUSED = [
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGWINCH,
]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_stop_is_clean(loop: str, number: signal.Signals) -> None:
    """TERM, INT and QUIT drain every worker, and the exit status is 0."""
    with running("echo", {"BUOY_LOOP": loop, "BUOY_WORKERS": "2"}) as program:
        program.await_workers(2)
        assert program.stop(number) == 0
    assert len(program.logged("stopped", clean=True)) == 3


def test_other_signals_are_refused(loop: str) -> None:
    """Each is logged, no worker is replaced, and a client notices nothing."""
    with running("echo", {"BUOY_LOOP": loop}) as program:
        workers = program.await_workers(1)
        admin = program.admin()
        with connect(program.address) as client:
            for number in REFUSED:
                program.send(number)
                program.event("signal refused", signal=number.name.removeprefix("SIG"))
                assert is_echoed(client)
        assert (program.traffic(), program.admin()) == (workers, admin)
        assert program.stop() == 0


def slow_request(program: Program, path: str) -> http.client.HTTPConnection:
    """Return a connection on which ``path`` is being handled."""
    connection = http.client.HTTPConnection(*program.address, timeout=20)
    connection.request("GET", path)
    running = {"task": f"web.{path[1:5]}"}
    eventually(lambda: program.metrics().value("asyncmonitor_tasks_in_progress", **running))
    return connection


def test_a_request_in_flight_is_finished(loop: str) -> None:
    """SIGTERM waits for it, and its response tells the client to go elsewhere."""
    with running("web", {"BUOY_LOOP": loop}) as program:
        program.await_workers(1)
        connection = slow_request(program, "/wait?seconds=4")
        program.send(signal.SIGTERM)
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"waited\n")
        assert response.headers["Connection"] == "close"
        connection.close()
        assert program.wait() == 0


def test_idle_connections_do_not_hold_a_drain(loop: str) -> None:
    """Those that send no request for a second are closed; a third of a minute is not waited."""
    with running("web", {"BUOY_LOOP": loop}) as program:
        program.await_workers(1)
        with connected(program.address, 2) as (silent, idle):
            idle.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
            assert b"200 OK" in idle.recv(4096)
            began = monotonic()
            assert program.stop() == 0
            assert monotonic() - began < 10
            assert (silent.recv(1), idle.recv(1)) == (b"", b"")
    assert program.logged("stopped", clean=False) == []


def test_signals_that_are_refused_do_not_hurry_a_drain(loop: str) -> None:
    """A terminal that changes its size while a service drains cuts no request short."""
    with running("web", {"BUOY_LOOP": loop}) as program:
        program.await_workers(1)
        connection = slow_request(program, "/wait?seconds=4")
        program.send(signal.SIGTERM)
        eventually(lambda: not program.is_ready())
        while not select([connection.sock], [], [], 0.2)[0]:
            for number in REFUSED:
                program.send(number)
        assert connection.getresponse().read() == b"waited\n"
        connection.close()
        assert program.wait() == 0
    assert program.logged("hurrying") == []


def test_two_signals_at_once_are_one(loop: str) -> None:
    """A terminal and a wrapper each pass Ctrl-C on; that alone cuts no request short."""
    with running("web", {"BUOY_LOOP": loop}) as program:
        program.await_workers(1)
        connection = slow_request(program, "/wait?seconds=4")
        began = monotonic()
        program.send(signal.SIGINT)
        eventually(lambda: not program.is_ready())
        program.send(signal.SIGINT)
        took = monotonic() - began
        answer = connection.getresponse().read()
        connection.close()
        assert program.wait() == 0
    assert answer == b"waited\n"
    # On a machine that stalled in between, the second came late enough to be one.
    assert program.logged("hurrying") == [] or took >= REPEAT


def hurry(program: Program) -> int:
    """Signal until that is understood as a second time; return the exit status."""

    def told() -> bool:
        program.send(signal.SIGTERM)
        return bool(program.logged("hurrying"))

    eventually(told)
    return program.wait()


def test_a_second_signal_hurries(loop: str) -> None:
    """What would take a minute is cut after two seconds; the exit status is still 0."""
    with running("web", {"BUOY_LOOP": loop}) as program:
        program.await_workers(1)
        connection = slow_request(program, "/wait?seconds=60")
        program.send(signal.SIGTERM)
        eventually(lambda: not program.is_ready())
        hurried = monotonic()
        assert hurry(program) == 0
        assert monotonic() - hurried < 20
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            connection.getresponse()
        connection.close()
    assert len(program.logged("hurrying")) == 1
    assert program.logged("drain cut short")


def test_a_drain_ends_at_its_deadline(loop: str) -> None:
    """A handler that never ends, and swallows its cancellation, does not outlast it."""
    environ = {"BUOY_LOOP": loop, "BUOY_DRAIN_TIMEOUT_SECONDS": "0.5"}
    with running("web", environ) as program:
        program.await_workers(1)
        connection = slow_request(program, "/stay")
        assert program.stop() == 0
        connection.close()
    assert program.logged("drain cut short")


def test_a_delayed_drain_says_so_and_goes_on_accepting(loop: str) -> None:
    """Not ready at once and live, new connections are served; a second signal ends the delay."""
    environ = {"BUOY_LOOP": loop, "BUOY_DRAIN_DELAY_SECONDS": "60"}
    with running("echo", environ) as program:
        program.await_workers(1)
        program.send(signal.SIGTERM)
        eventually(lambda: not program.is_ready())
        assert program.get("/livez").status == 200
        with connect(program.address) as client:
            assert is_echoed(client)
        assert hurry(program) == 0


def test_a_delayed_drain_tells_clients_to_go_elsewhere(loop: str) -> None:
    """Every response says so while load balancers still send."""
    environ = {"BUOY_LOOP": loop, "BUOY_DRAIN_DELAY_SECONDS": "60"}
    with running("web", environ) as program:
        program.await_workers(1)
        program.send(signal.SIGTERM)
        eventually(lambda: program.metrics().value("bellbuoy_workers", state="draining"))
        connection = http.client.HTTPConnection(*program.address, timeout=20)
        connection.request("GET", "/")
        assert connection.getresponse().headers["Connection"] == "close"
        connection.close()
        assert hurry(program) == 0


def test_the_queue_is_swept(loop: str) -> None:
    """Clients that the kernel has accepted, many batches of them, are all answered."""
    with running("web", {"BUOY_LOOP": loop}) as program:
        (worker,) = program.await_workers(1)
        os.kill(worker, signal.SIGSTOP)
        with connected(program.address, 1500) as clients:
            for client in clients:
                client.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
            program.send(signal.SIGTERM)
            eventually(lambda: program.get("/readyz").body == '{"status":"not ready"}\n')
            os.kill(worker, signal.SIGCONT)
            answers = [read_exactly(client, 1000) for client in clients]
        assert [answer for answer in answers if not answer.endswith(b"Hello, World!\n")] == []
        assert program.wait() == 0


def test_a_stop_right_after_the_start_is_clean() -> None:
    """However the signal and the forks meet, every process leaves, and the status is 0."""
    rounds = 12
    codes = subprocess.run(
        [sys.executable, PROGRAMS / "restless.py", str(rounds)],
        env={**os.environ, "PYTHONPATH": "services:.", **UNMEASURED},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    )
    assert codes.stdout.split() == ["0"] * rounds
