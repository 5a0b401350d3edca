"""Bounds: connections, descriptors, and how the load is shared between workers."""

import os
import resource
import signal
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.clients import connect, connected, is_echoed, is_served, room
from tests.program import Program, loop, running
from tests.waiting import eventually

__all__ = ["loop"]

pytestmark = pytest.mark.slow

REJECTED = "bellbuoy_connections_rejected_total"
ACTIVE = "bellbuoy_connections_active"


def descriptors(pid: int) -> list[str]:
    """Return what a process's file descriptors point to."""
    links = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.append(str(link.readlink()))
        except FileNotFoundError:
            continue
    return links


def sockets(pid: int) -> int:
    """Return how many sockets a process holds."""
    return sum(link.startswith("socket:") for link in descriptors(pid))


def test_connections_above_the_limit_are_closed_and_counted(loop: str) -> None:
    """Exactly the excess is refused, at once, and those who came first notice nothing.

    A place that gets free is given away again.
    """
    with room(1200), running("echo", {"BUOY_LOOP": loop, "BUOY_MAX_CONNECTIONS": "20"}) as program:
        program.await_workers(1)
        with connected(program.address, 20) as first:
            assert all(is_echoed(client) for client in first)
            began = time.monotonic()
            with connected(program.address, 500) as excess:
                assert [client for client in excess if is_served(client)] == []
            assert time.monotonic() - began < 10
            eventually(lambda: program.metrics().value(REJECTED, reason="limit") == 500)
            metrics = program.metrics()
            assert metrics.value(ACTIVE) == metrics.value("bellbuoy_connections_limit") == 20
            assert metrics.value("bellbuoy_connections_accepted_total") == 20
            assert all(is_echoed(client) for client in first)
            first[0].close()
            eventually(lambda: program.metrics().value(ACTIVE) == 19)
            with connect(program.address) as next_one:
                assert is_echoed(next_one)
        assert program.metrics().value(REJECTED) == 500
        assert program.stop() == 0


def test_few_descriptors_lower_the_limit(loop: str) -> None:
    """A thousand come, 128 descriptors are there: the cap acts before accept(2) fails.

    The excess is refused, nothing pauses, spins or is logged; whoever leaves makes room at once.
    """
    few = ["sh", "-c", 'ulimit -n 128; exec "$@"', "sh"]
    with room(1200), running("echo", {"BUOY_LOOP": loop}, before=few) as program:
        (worker,) = program.await_workers(1)
        eventually(lambda: program.metrics().value("bellbuoy_connections_limit") == 64)
        said = len(program.events)
        with connected(program.address, 1000) as clients:
            served = [client for client in clients if is_served(client)]
            assert len(served) == 64
            eventually(lambda: program.metrics().value(REJECTED, reason="limit") == 936)
            assert busy_share(worker) < 0.2
            served[0].close()
            freed = time.monotonic()
            eventually(lambda: is_let_in(program))
            assert time.monotonic() - freed < 5
        assert program.metrics().value("bellbuoy_accept_pauses_total") == 0
        late = "event loop was blocked"  # a machine that is busy with something else
        assert [each for each in program.events[said:] if each["message"] != late] == []
        assert program.traffic() == [worker]
        assert program.stop() == 0


def is_let_in(program: Program) -> bool:
    """Return whether somebody else is served."""
    with connect(program.address) as client:
        return is_served(client)


def busy_share(worker: int) -> float:
    """Return the part of a second for which a process uses a CPU."""
    began, used = time.monotonic(), cpu_seconds(worker)
    eventually(lambda: time.monotonic() - began > 1)
    return (cpu_seconds(worker) - used) / (time.monotonic() - began)


def test_a_worker_out_of_descriptors_pauses_and_goes_on(loop: str) -> None:
    """EMFILE: who is connected is served, who waits is accepted when there are descriptors.

    It takes next to no CPU meanwhile, and says so once a second.
    """
    with running("echo", {"BUOY_LOOP": loop}) as program:
        (worker,) = program.await_workers(1)
        with connect(program.address) as early:
            assert is_echoed(early)
            limit = resource.prlimit(worker, resource.RLIMIT_NOFILE)
            resource.prlimit(worker, resource.RLIMIT_NOFILE, (len(descriptors(worker)), limit[1]))
            with connected(program.address, 10) as waiting:
                paused = "bellbuoy_accept_pauses_total"
                eventually(lambda: program.metrics().value(paused) >= 2)
                began, used = time.monotonic(), cpu_seconds(worker)
                eventually(lambda: program.metrics().value(paused) >= 12)
                lasted = time.monotonic() - began
                assert cpu_seconds(worker) - used < 0.2 * lasted
                assert is_echoed(early)
                assert program.is_ready()
                # As a pause begins, so that all of it is waited for.
                so_far = program.metrics().value(paused)
                eventually(lambda: program.metrics().value(paused) > so_far)
                resource.prlimit(worker, resource.RLIMIT_NOFILE, limit)
                freed = time.monotonic()
                assert all(is_echoed(client) for client in waiting)
                assert time.monotonic() - freed < 5
        assert program.traffic() == [worker]
        assert 1 <= len(program.logged("accept paused")) <= 3 + time.monotonic() - began
        assert program.stop() == 0


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_two_workers_share_the_connections(loop: str) -> None:
    """Of a hundred that come one after the other, each gets a quarter at least."""
    with running("echo", {"BUOY_LOOP": loop, "BUOY_WORKERS": "2"}) as program:
        workers = program.await_workers(2)
        before = [sockets(pid) for pid in workers]
        with ExitStack() as stack:
            for _ in range(100):
                assert is_echoed(stack.enter_context(connect(program.address)))
            after = [sockets(pid) for pid in workers]
        shares = [late - early for early, late in zip(before, after, strict=True)]
        assert sum(shares) == 100
        assert min(shares) >= 25, shares
        assert program.stop() == 0


def test_a_stopped_neighbour_takes_no_connections_along(loop: str) -> None:
    """The worker that runs takes all that come, though it holds more than the one that hangs."""
    with running("echo", {"BUOY_LOOP": loop, "BUOY_WORKERS": "2"}) as program:
        hanging, _ = program.await_workers(2)
        os.kill(hanging, signal.SIGSTOP)
        try:
            with connected(program.address, 50) as clients:
                assert all(is_echoed(client) for client in clients)
        finally:
            os.kill(hanging, signal.SIGCONT)
        assert program.stop() == 0


def test_one_address_cannot_take_all_places(loop: str) -> None:
    """Its drip-feeding connections beyond its share are refused; another address is served."""
    environ = {"BUOY_LOOP": loop, "BUOY_MAX_CONNECTIONS_PER_PEER": "10"}
    with running("echo", environ) as program, ExitStack() as stack:
        program.await_workers(1)
        greedy = [stack.enter_context(socket.socket()) for _ in range(30)]
        for client in greedy:
            client.settimeout(20)
            client.bind(("127.0.0.2", 0))
            client.connect(program.address)
        admitted = [client for client in greedy if is_served(client)]
        assert len(admitted) == 10
        eventually(lambda: program.metrics().value(REJECTED, reason="peer_limit") == 20)
        for client in admitted:
            assert is_echoed(client, b".")
        with connected(program.address, 10) as others:
            assert all(is_echoed(client) for client in others)
        assert program.stop() == 0
