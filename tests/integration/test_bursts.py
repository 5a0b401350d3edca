"""Bursts: the queue is as long as the settings say, and nobody in it is dropped or forgotten."""

import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.clients import Address, connect, connected, is_echoed, room
from tests.network import network
from tests.program import UNMEASURED, loop, running
from tests.waiting import PATIENCE, eventually

__all__ = ["loop"]

pytestmark = pytest.mark.slow

ACTIVE = "bellbuoy_connections_active"
OWN_NETWORK = Path("/proc/thread-self/net")
"""That of the thread's namespace; /proc/net is the main thread's."""

with_ss = pytest.mark.skipif(
    "CI" not in os.environ and not shutil.which("ss"), reason="ss is not installed"
)


@with_ss
@pytest.mark.parametrize("setting", [None, 700])
def test_the_backlog_is_in_force(loop: str, setting: int | None) -> None:
    """``ss -ltn`` shows it: 4,096 unless set, and no loop lowers it by listening again."""
    longest = int(Path("/proc/sys/net/core/somaxconn").read_text())
    chosen = {} if setting is None else {"BUOY_BACKLOG": str(setting)}
    with running("echo", {"BUOY_LOOP": loop, **chosen}) as program:
        program.await_workers(1)
        with connect(program.address) as client:
            assert is_echoed(client)
        shown = subprocess.run(
            ["ss", "-ltnH", f"sport = :{program.address[1]}"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()
        assert int(shown[2]) == min(setting or 4096, longest)
        assert program.stop() == 0


def test_thousands_can_come_at_once(loop: str) -> None:
    """The kernel's queue is as long as the settings say, and nobody in it is forgotten."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    longest = int(Path("/proc/sys/net/core/somaxconn").read_text())
    count = min(4000, longest - 50, soft - 200)
    with running("echo", {"BUOY_LOOP": loop, **UNMEASURED}) as program:
        (worker,) = program.await_workers(1)
        os.kill(worker, signal.SIGSTOP)
        with connected(program.address, count) as clients:
            # What overflows is dropped by the kernel, and is not in the queue.
            eventually(lambda: queued(program.address[1]) == count)
            os.kill(worker, signal.SIGCONT)
            assert all(is_echoed(client) for client in clients)
        eventually(lambda: program.metrics().value(ACTIVE) == 0)
        assert program.stop() == 0


def queued(port: int) -> int:
    """Return how many connections the kernel keeps for accept(2) on a port."""
    rows = [line.split() for line in (OWN_NETWORK / "tcp").read_text().splitlines()[1:]]
    listening = "0A"
    for row in rows:
        if row[3] == listening and int(row[1].partition(":")[2], 16) == port:
            return int(row[4].partition(":")[2], 16)
    raise AssertionError(f"nobody listens on port {port}")


def connect_at_once(address: Address, clients: list[socket.socket]) -> list[float]:
    """Connect all of them, from as many addresses as that takes.

    Returns:
        The seconds that each waited, the shortest first.
    """
    began, made = dict[int, float](), dict[int, float]()
    for number, client in enumerate(clients):
        client.bind((f"127.1.0.{1 + number // 500}", 0))
        client.settimeout(0)
    with select.epoll() as poller:

        def note(patience: float) -> bool:
            events, now = poller.poll(patience), time.monotonic()
            for descriptor, _ in events:
                made.setdefault(descriptor, now)
            return bool(events)

        for client in clients:
            began[client.fileno()] = time.monotonic()
            client.connect_ex(address)
            poller.register(client, select.EPOLLOUT | select.EPOLLET)
            note(0)
        while len(made) < len(clients):
            assert note(PATIENCE), f"{len(made)} of {len(clients)} came"
    for client in clients:
        client.settimeout(PATIENCE)
    return sorted(made[each] - began[each] for each in began)


def overflows() -> int:
    """Return how many connections the kernel has dropped because a queue was full."""
    lines = (OWN_NETWORK / "netstat").read_text().splitlines()
    names, values = (line.split() for line in lines if line.startswith("TcpExt:"))
    counters = dict(zip(names, values, strict=True))
    return int(counters["ListenOverflows"]) + int(counters["ListenDrops"])


def test_a_burst_of_5000_loses_nobody(loop: str) -> None:
    """Even if the worker hangs while all of them come: no overflow, and everybody is served.

    Nor does anybody wait to be connected; who is dropped waits a second for its next SYN.
    """
    count = 5000
    environ = {"BUOY_LOOP": loop, "BUOY_BACKLOG": "8192", **UNMEASURED}
    with network() as own, own.server.entered(), room(2 * count):
        Path("/proc/sys/net/core/somaxconn").write_text("8192")  # of this namespace
        with running("echo", environ) as program:
            (worker,) = program.await_workers(1)
            os.kill(worker, signal.SIGSTOP)
            with ExitStack() as stack:
                clients = [stack.enter_context(socket.socket()) for _ in range(count)]
                waited = connect_at_once(program.address, clients)
                assert waited[count * 99 // 100] < 0.2
                eventually(lambda: queued(program.address[1]) == count)
                os.kill(worker, signal.SIGCONT)
                assert all(is_echoed(client) for client in clients)
                assert overflows() == 0
            eventually(lambda: program.metrics().value(ACTIVE) == 0)
            assert program.stop() == 0
