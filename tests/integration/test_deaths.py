"""Processes that die, one at a time and all at once: only what they held is lost."""

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from tests.clients import Address, connect, is_echoed, is_served
from tests.program import UNMEASURED, Metrics, Program, loop, running
from tests.visitors import Visitors
from tests.waiting import eventually

__all__ = ["loop"]

pytestmark = pytest.mark.slow

SOON = 2.0
"""Seconds within which a dead process is replaced on a machine that is not overloaded …"""

TOLERANCE = 4.0
"""… and more that a busy one gets."""

VISITORS = 16
"""Clients that come again and again, one connection each at a time."""


class Scrapes:
    """Scrapes /metrics without a pause, and notes what must never happen."""

    def __init__(self, program: Program) -> None:
        """Begin."""
        self.count = 0
        self.faults: list[str] = []
        self._program = program
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        """End, after one scrape more."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        before = Metrics()
        while not self._over.is_set():
            try:
                now = self._program.metrics()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
                self.faults.append(repr(error))
                continue
            self.faults += now.went_backwards(before)
            before = now
            self.count += 1


@contextmanager
def scraping(program: Program) -> Iterator[Scrapes]:
    """Scrape while the block runs."""
    scrapes = Scrapes(program)
    try:
        yield scrapes
    finally:
        scrapes.stop()


class Pinger:
    """A client that pings and waits for the pong, until the server ends it.

    Attributes:
        pongs: How many came.
    """

    def __init__(self, address: Address) -> None:
        """Connect."""
        self.pongs = 0
        self.came = asyncio.Event()
        self._address = address
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        reader, writer = await asyncio.open_connection(*self._address)
        try:
            while True:
                writer.write(b"ping")
                await reader.readexactly(4)
                self.pongs += 1
                self.came.set()
        finally:
            writer.close()


def replaced(program: Program, pid: int, count: int) -> bool:
    """Return whether ``count`` traffic workers serve, none of them ``pid``."""
    return len(program.traffic()) == count and pid not in program.traffic()


async def test_a_worker_that_is_restarted_resets_nobody(loop: str) -> None:
    """Those that come meanwhile, hundreds a second, are served by it or by the other.

    A client may find a FIN instead of its pong, once.
    """
    with running("echo", {"BUOY_LOOP": loop, "BUOY_WORKERS": "2", **UNMEASURED}) as program:
        (victim, _) = await asyncio.to_thread(program.await_workers, 2)
        visitors = Visitors(program.address, VISITORS)
        await asyncio.to_thread(eventually, lambda: visitors.served > 100)
        os.kill(victim, signal.SIGTERM)
        await asyncio.to_thread(eventually, partial(replaced, program, victim, 2))
        before = visitors.served
        await asyncio.to_thread(eventually, lambda: visitors.served > before + 100)
        await visitors.stop()
        assert await asyncio.to_thread(program.stop) == 0
    assert visitors.resets == []
    # Nobody read the ping of who came at the very last; who comes again is served.
    assert visitors.unanswered <= VISITORS


async def test_a_killed_worker_takes_only_its_own_connections_along(loop: str) -> None:
    """Under load: they fail and are counted lost, and the others' clients notice nothing.

    Counters never go back, every scrape is answered, and a replacement serves within two seconds.
    """
    environ = {"BUOY_LOOP": loop, "BUOY_WORKERS": "2", **UNMEASURED}
    with running("echo", environ, complaints=["worker died"]) as program:
        await asyncio.to_thread(program.await_workers, 2)
        clients = []
        for _ in range(40):
            clients.append(Pinger(program.address))
            await clients[-1].came.wait()
        begun = {"task": "echo.connection"}  # what is counted as lost is what was published so
        await asyncio.to_thread(
            eventually,
            lambda: program.metrics().value("asyncmonitor_tasks_in_progress", **begun) == 40,
        )
        (victim, _) = program.traffic()
        with scraping(program) as scrapes:
            os.kill(victim, signal.SIGKILL)
            await asyncio.to_thread(
                eventually, lambda: replaced(program, victim, 2), SOON + TOLERANCE
            )
            survivors = [client for client in clients if not client.task.done()]
            goals = [(client, client.pongs + 100) for client in survivors]
            await asyncio.to_thread(
                eventually, lambda: all(client.pongs > goal for client, goal in goals)
            )
        final = await asyncio.to_thread(program.metrics)
        failed = len(clients) - len(survivors)
        assert scrapes.faults == []
        assert scrapes.count > 1
        assert 0 < failed < len(clients)
        lost = {"task": "echo.connection", "outcome": "lost"}
        assert final.value("asyncmonitor_task_finished_total", **lost) == failed
        assert final.value("bellbuoy_connections_active") == len(survivors)
        assert final.value("bellbuoy_worker_deaths_total", how="signal") == 1
        for client in clients:
            client.task.cancel()
        await asyncio.gather(*(client.task for client in clients), return_exceptions=True)
        assert await asyncio.to_thread(program.stop) == 0


def are_gone(program: Program, pids: set[int]) -> bool:
    """Return whether none of these processes is alive."""
    return not pids & {*program.alive()}


def test_traffic_does_not_notice_a_killed_admin_process(loop: str) -> None:
    """It is back within two seconds, with every number it had."""
    with running("echo", {"BUOY_LOOP": loop}, complaints=["worker died"]) as program:
        (worker,) = program.await_workers(1)
        (victim,) = program.admin()
        with connect(program.address) as client:
            assert is_echoed(client)
            eventually(lambda: program.metrics().value("echo_messages_total") == 1)
            os.kill(victim, signal.SIGKILL)
            eventually(lambda: program.admin() not in ([], [victim]), SOON + TOLERANCE)
            eventually(program.is_ready, TOLERANCE)
            assert is_echoed(client)
            eventually(lambda: program.metrics().value("echo_messages_total") == 2)
        assert program.traffic() == [worker]
        assert program.stop() == 0


def test_every_process_killed_at_once_and_again(loop: str) -> None:
    """Roles and slots sort themselves out whoever comes back first."""
    environ = {"BUOY_LOOP": loop, "BUOY_WORKERS": "2"}
    with running("echo", environ, complaints=["worker died"]) as program:
        for _ in range(2):
            victims = {*program.await_workers(2), *program.admin()}
            for pid in victims:
                os.kill(pid, signal.SIGKILL)
            eventually(partial(are_gone, program, victims))
        program.await_workers(2)
        with connect(program.address) as client:
            assert is_echoed(client)
        assert program.metrics().value("bellbuoy_worker_deaths_total") == 6
        assert program.stop() == 0


def ask_to_block(program: Program, seconds: float) -> socket.socket:
    """Have one worker sleep in its loop."""
    client = connect(program.address)
    client.sendall(f"GET /block?seconds={seconds} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
    return client


def test_probes_answer_while_every_worker_is_blocked(loop: str) -> None:
    """All in ``time.sleep``: live, not ready, and metrics, each at once."""
    with running("web", {"BUOY_LOOP": loop}, complaints=["worker died"]) as program:
        (victim,) = program.await_workers(1)
        with ask_to_block(program, 60):
            eventually(lambda: not program.is_ready())
        for path, status in (("/livez", 200), ("/readyz", 503), ("/metrics", 200), ("/tasks", 200)):
            asked = time.monotonic()
            assert program.get(path).status == status, path
            assert time.monotonic() - asked < 1.0 + TOLERANCE, path
        os.kill(victim, signal.SIGKILL)
        eventually(program.is_ready)
        assert program.stop() == 0


def test_a_worker_that_stays_blocked_is_replaced_and_tells_where(loop: str) -> None:
    """The watchdog logs the line that blocked, and the next worker serves."""
    environ = {"BUOY_LOOP": loop, "BUOY_WATCHDOG_SECONDS": "2"}
    excused = ["worker died", "worker blocked", "WORKER TIMEOUT"]
    with running("web", environ, complaints=excused) as program:
        (victim,) = program.await_workers(1)
        with ask_to_block(program, 60):
            assert "time.sleep" in program.event("worker blocked")["stack"]
        eventually(lambda: replaced(program, victim, 1))
        eventually(program.is_ready)
        assert program.metrics().value("bellbuoy_worker_deaths_total", how="watchdog") == 1
        assert program.stop() == 0


def test_a_stopped_worker_is_replaced(loop: str) -> None:
    """SIGSTOP lets it neither beat nor tell anything: the watchdog's second word is SIGKILL."""
    environ = {"BUOY_LOOP": loop, "BUOY_WATCHDOG_SECONDS": "2"}
    with running("echo", environ, complaints=["worker died", "WORKER TIMEOUT"]) as program:
        (victim,) = program.await_workers(1)
        os.kill(victim, signal.SIGSTOP)
        eventually(lambda: replaced(program, victim, 1))
        eventually(program.is_ready)
        with connect(program.address) as client:
            assert is_echoed(client)
        assert program.stop() == 0


@pytest.mark.parametrize("also", ["nobody", "a worker"])
def test_nobody_outlives_the_supervisor(loop: str, also: str) -> None:
    """``kill -9`` of the supervisor: all leave by themselves, clients and all, and free the port.

    Not even a worker that was killed with it makes the admin process wait.
    """
    with running("echo", {"BUOY_LOOP": loop, "BUOY_WORKERS": "2"}) as program:
        workers = program.await_workers(2)
        with connect(program.address) as client:
            assert is_echoed(client)
            program.send(signal.SIGKILL)
            if also == "a worker":
                os.kill(workers[0], signal.SIGKILL)
            assert program.wait() == -signal.SIGKILL
            eventually(lambda: not program.alive(), 8)
            assert not is_served(client)
        for address in (program.address, program.admin_address):
            # Not by binding it: another test's client may have been given the number meanwhile.
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address, 5).close()
