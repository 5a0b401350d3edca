"""Bad neighbours: what clients that never read, or hardly write, cost those who do both.

Two servers share the core: one has the neighbours, the other has none, and they take turns.
Whatever else the machine does hits both alike.
"""

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from bench.echo.contestants import Contestant, Running, bellbuoy, compile_c, running
from bench.echo.cost import proportional_memory
from bench.echo.rounds import Figures, Rounds, gather
from bench.echo.throughput import SERVER_CORE, WORKLOADS, sample

STALLED = 1000
DRIPPING = 5000
DRIP_SECONDS = 5.0
TURNS = 7
TURN_SECONDS = 1.0
"""Fourteen turns end before the write timeout of 30 s does: no protection is off."""

BUDGET = STALLED * 512 * 1024
"""What all of them may hold together: by default most would be cut before they cost much."""

PIECE = bytes(65_536)

ESTABLISHED = 1
"""The kernel's name for a connection that neither side has ended (tcp_states.h)."""


def measure(build: Path, rounds: int) -> Rounds:
    """Return the figures; those of time from :data:`TURNS` turns."""
    load = compile_c("load", build)
    memory = gather([_memory(load) for _ in range(rounds)])
    with running(_ours(), SERVER_CORE) as crowded, running(_ours(), SERVER_CORE) as quiet:
        with stalled(crowded, STALLED):
            beside_stalled = _ratios(load, crowded, quiet)
        with dripping(crowded, DRIPPING):
            beside_dripping = _ratios(load, crowded, quiet)
    return {
        **memory,
        "p99 beside 1,000 that never read, x without": beside_stalled,
        "p99 beside 5,000 that drip, x without": beside_dripping,
    }


def _memory(load: str) -> Figures:
    with running(_ours(), SERVER_CORE) as server:
        sample(load, server, WORKLOADS[0], TURN_SECONDS)
        before = proportional_memory(server.pid)
        with stalled(server, STALLED):
            grown = proportional_memory(server.pid) - before
    return {"KiB per client that never reads": grown / STALLED / 1024}


def _ratios(load: str, crowded: Running, quiet: Running) -> list[float]:
    turns = [
        [sample(load, each, WORKLOADS[0], TURN_SECONDS).p99_us for each in (crowded, quiet)]
        for _ in range(TURNS)
    ]
    return [round(ours / theirs, 3) for ours, theirs in turns]


def _ours() -> Contestant:
    environ = {**bellbuoy(), "BUOY_ECHO_WRITE_BUDGET_BYTES": str(BUDGET)}
    return Contestant("bellbuoy", (sys.executable, "-m", "echo"), environ)


@contextmanager
def connected(server: Running, count: int) -> Iterator[list[socket.socket]]:
    """Hold connections from many addresses, with small windows, until the block ends."""
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.socket()) for _ in range(count)]
        for number, client in enumerate(clients):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.bind((f"127.3.{number // 50_000}.{1 + number // 200}", 0))
            client.connect(("127.0.0.1", server.port))
            client.settimeout(0)
        yield clients


@contextmanager
def stalled(server: Running, count: int) -> Iterator[None]:
    """Have clients that send as long as they can, and never read; all stay until the block ends."""
    with connected(server, count) as clients:
        while _push(clients):
            pass
        yield
        cut = sum(not _is_established(client) for client in clients)
        assert not cut, f"{cut} of {count} that never read were cut before the measurement was over"


def _is_established(client: socket.socket) -> bool:
    return client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == ESTABLISHED


def _push(clients: list[socket.socket]) -> int:
    """Send what can be sent; return how much that was."""
    sent = 0
    for client in clients:
        with suppress(BlockingIOError):
            sent += client.send(PIECE)
    # What the server takes now makes room for more.
    time.sleep(0.05)
    return sent


@contextmanager
def dripping(server: Running, count: int) -> Iterator[None]:
    """Have clients that send one byte every five seconds."""
    over = threading.Event()
    with connected(server, count) as clients:
        thread = threading.Thread(target=_drip, args=(clients, over.wait))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _drip(clients: list[socket.socket], wait: Callable[[float], bool]) -> None:
    group = 50
    while True:
        for start in range(0, len(clients), group):
            for client in clients[start : start + group]:
                with suppress(OSError):
                    client.send(b".")
                    client.recv(100)
            if wait(DRIP_SECONDS * group / len(clients)):
                return
