"""A network of the test's own: two namespaces and a link between them, as bad as one wants it.

Law of this file: nothing of the machine's own network is touched, and nothing outlives the block.
The link is a thread between two TUN devices. It takes root and /dev/net/tun; it needs neither a
kernel with sch_netem nor a firewall, and it does what it is told in the same order every time.
"""

import ctypes
import errno
import fcntl
import heapq
import os
import random
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import NoReturn

import pytest

SERVER, CLIENT = "192.0.2.1", "192.0.2.2"
"""TEST-NET-1: documentation's own, nobody's address (RFC 5737)."""

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK, IFF_UP = 0x8914, 0x8916, 0x891C, 1
PACKET = 65_536

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Quality:
    """What happens to a packet on its way, in each direction.

    Args:
        delay: Seconds it takes.
        jitter: Seconds more or less.
        loss: Share of packets that are lost.
        reorder: Share of packets that overtake: they take no time at all.
        rate: Bytes a second; 0 is without limit.
    """

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    reorder: float = 0.0
    rate: float = 0.0


class Namespace:
    """One end: an address in a network namespace of its own.

    Attributes:
        tunnel: The file descriptor where its packets come out and go in.
    """

    def __init__(self, address: str) -> None:
        """Make it; the calling thread stays where it is."""
        home = _network()
        _call("unshare", CLONE_NEWNET)
        try:
            self._own = _network()
            _configure("lo", "127.0.0.1")
            self.tunnel = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(self.tunnel, TUNSETIFF, _interface("tun0", "H", IFF_TUN | IFF_NO_PI))
            _configure("tun0", address)
        finally:
            _call("setns", home, CLONE_NEWNET)
            os.close(home)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Let the thread make sockets and processes there until the block ends; may be nested."""
        before = _network()
        _call("setns", self._own, CLONE_NEWNET)
        try:
            yield
        finally:
            _call("setns", before, CLONE_NEWNET)
            os.close(before)

    def close(self) -> None:
        """Forget it; the kernel removes it with the last socket in it."""
        for descriptor in (self.tunnel, self._own):
            os.close(descriptor)


class Network:
    """Two namespaces and the link between them; made by :func:`network`.

    Attributes:
        server: Where the service runs, at :data:`SERVER`.
        client: Where its clients are, at :data:`CLIENT`.
        quality: How good the link is now.
        is_deaf: Whether what the server sends gets lost.
        is_mute: Whether what the clients send gets lost.
        lost: Packets that the link was told to lose.
    """

    def __init__(self, server: Namespace, client: Namespace, quality: Quality) -> None:
        """Carry nothing yet."""
        self.server, self.client, self.quality = server, client, quality
        self.is_deaf = self.is_mute = False
        self.lost = 0
        self._random = random.Random(7)  # noqa: S311 - the same in every run
        self._flying: list[tuple[float, int, int, bytes]] = []
        self._count = 0
        self._free = {server.tunnel: 0.0, client.tunnel: 0.0}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._carry, daemon=True)

    def cut(self) -> None:
        """Carry nothing any more, and tell nobody."""
        self.is_deaf = self.is_mute = True

    @contextmanager
    def carrying(self) -> Iterator[None]:
        """Carry packets until the block ends."""
        self._thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            self._thread.join()

    def _carry(self) -> None:
        ways = {
            self.server.tunnel: self.client.tunnel,
            self.client.tunnel: self.server.tunnel,
        }
        poller = select.poll()
        for tunnel in ways:
            poller.register(tunnel, select.POLLIN)
        while not self._is_over.is_set():
            for tunnel, _ in poller.poll(self._patience()):
                self._take(tunnel, ways[tunnel])
            self._deliver()

    def _patience(self) -> float:
        """Return for how many milliseconds nothing is due."""
        due = self._flying[0][0] - time.monotonic() if self._flying else 1.0
        return max(0.0, min(due, 0.05)) * 1000

    def _take(self, source: int, target: int) -> None:
        packet = os.read(source, PACKET)
        is_silent = self.is_deaf if source == self.server.tunnel else self.is_mute
        if is_silent or self._random.random() < self.quality.loss:
            self.lost += 1
            return
        self._count += 1
        due = self._due(source, len(packet))
        heapq.heappush(self._flying, (due, self._count, target, packet))

    def _due(self, source: int, size: int) -> float:
        quality, now = self.quality, time.monotonic()
        if self._random.random() < quality.reorder:
            return now
        if quality.rate:
            now = self._free[source] = max(self._free[source], now) + size / quality.rate
        return now + quality.delay + self._random.uniform(-quality.jitter, quality.jitter)

    def _deliver(self) -> None:
        while self._flying and self._flying[0][0] <= time.monotonic():
            _, _, target, packet = heapq.heappop(self._flying)
            os.write(target, packet)


@contextmanager
def network(quality: Quality | None = None) -> Iterator[Network]:
    """Give a network until the block ends.

    Where none can be made, the test is skipped; in CI that is a failure, except that a kernel
    without TUN has none to give.
    """
    with ExitStack() as stack:
        try:
            ends = [Namespace(address) for address in (SERVER, CLIENT)]
        except OSError as error:
            _give_up(error)
        for end in ends:
            stack.callback(end.close)
        made = Network(ends[0], ends[1], quality or Quality())
        stack.enter_context(made.carrying())
        yield made


def _give_up(error: OSError) -> NoReturn:
    is_absent = error.errno in {errno.ENOENT, errno.ENODEV, errno.ENXIO}
    if os.environ.get("CI") and not is_absent:
        raise error
    pytest.skip(f"no network namespace with a TUN device: {error.strerror}")


def _network() -> int:
    """Return a file descriptor of the calling thread's network namespace."""
    return os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)


def _call(name: str, *arguments: int) -> None:
    # os.unshare and os.setns came with Python 3.12.
    if getattr(_libc, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _interface(name: str, pattern: str, *values: object) -> bytes:
    """Return a struct ifreq (netdevice(7))."""
    return struct.pack("16s" + pattern, name.encode(), *values).ljust(40, b"\0")


def _configure(name: str, address: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for request, value in ((SIOCSIFADDR, address), (SIOCSIFNETMASK, "255.255.255.0")):
            place = struct.pack("H2x4s8x", socket.AF_INET, socket.inet_aton(value))
            fcntl.ioctl(control, request, _interface(name, "16s", place))
        fcntl.ioctl(control, SIOCSIFFLAGS, _interface(name, "H", IFF_UP))
