"""Clients that keep account: what was sent, what came back, and how it ended."""

import asyncio
import random
import resource
import socket
import ssl
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from tests.certificates import NAME
from tests.waiting import PATIENCE, eventually

PATTERN = random.Random(7).randbytes(65_521)  # noqa: S311 - the same in every process
"""A prime number of bytes, so that a piece in the wrong place is noticed."""

Address = tuple[str, int]


def connect(address: Address, *, small: bool = False) -> socket.socket:
    """Return a blocking connection; with ``small``, little waits unread."""
    connection = socket.socket()
    if small:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(PATIENCE)
    connection.connect(address)
    return connection


@contextmanager
def connected(address: Address, count: int) -> Iterator[list[socket.socket]]:
    """Hold ``count`` connections."""
    with ExitStack() as stack:
        yield [stack.enter_context(connect(address)) for _ in range(count)]


@contextmanager
def room(count: int) -> Iterator[None]:
    """Allow this process, and what it starts, so many descriptors until the block ends."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def read_exactly(connection: socket.socket, count: int) -> bytes:
    """Return the next ``count`` bytes, fewer at the end."""
    data = bytearray()
    while len(data) < count and (piece := connection.recv(count - len(data))):
        data += piece
    return bytes(data)


def is_echoed(connection: socket.socket, data: bytes = b"ping") -> bool:
    """Return whether ``data`` comes back."""
    connection.sendall(data)
    return read_exactly(connection, len(data)) == data


def is_served(connection: socket.socket) -> bool:
    """Return whether the server echoes here, as opposed to having closed or reset it."""
    try:
        return is_echoed(connection)
    except ConnectionError:
        return False


def usual_wait(connection: socket.socket) -> float:
    """Return the median of the seconds that one byte takes to come back.

    The slowest of a hundred is decided by whatever else a machine does.
    """
    waits = []
    for _ in range(200):
        began = time.monotonic()
        assert is_echoed(connection, b".")
        waits.append(time.monotonic() - began)
    return statistics.median(waits)


def open_wide(connection: socket.socket) -> None:
    """Let the kernel buffer as much as it likes: a small window would take its time."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)


def fill(connection: socket.socket, is_full: Callable[[], bool]) -> int:
    """Send until nothing more can be sent and ``is_full``; return how many bytes were sent.

    TLS may hold a part of the next piece: who goes on must go on with that.
    """
    connection.settimeout(0)
    sent = 0

    def stuck() -> bool:
        nonlocal sent
        before = sent
        with suppress(BlockingIOError, ssl.SSLWantWriteError):
            while True:
                sent += connection.send(pattern(sent, 65536))
        return sent == before and is_full()

    eventually(stuck)
    connection.settimeout(PATIENCE)
    return sent


def reset(connection: socket.socket) -> None:
    """Close with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


@dataclass
class Conversation:
    """What one echo client experienced.

    Attributes:
        sent: Bytes handed to the kernel.
        received: Bytes that came back.
        is_prefix: Whether they are the first that were sent, in order.
        end: ``fin``, or the name of the error.
    """

    sent: int = 0
    received: int = 0
    is_prefix: bool = True
    end: str = ""

    def receive(self, data: bytes) -> None:
        """Account for what came back."""
        self.is_prefix &= data == pattern(self.received, len(data))
        self.received += len(data)


def pattern(start: int, length: int) -> bytes:
    """Return a piece of the endless stream that every echo client sends."""
    start %= len(PATTERN)
    repeats = (start + length) // len(PATTERN) + 1
    return (PATTERN * repeats)[start : start + length]


async def stream(
    address: Address,
    conversation: Conversation,
    piece: int = 4096,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Send pieces one after the other, at most 16 ahead, until the server says FIN; then say it."""
    name = NAME if tls else None
    reader, writer = await asyncio.open_connection(*address, ssl=tls, server_hostname=name)
    sending = asyncio.create_task(_send(writer, conversation, piece))
    try:
        while data := await reader.read(65536):
            conversation.receive(data)
        conversation.end = "fin"
    except OSError as error:
        conversation.end = type(error).__name__
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    if isinstance(failure := _failure(sending), OSError) and conversation.end == "fin":
        conversation.end = type(failure).__name__
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def _send(writer: asyncio.StreamWriter, conversation: Conversation, piece: int) -> None:
    while True:
        if conversation.sent - conversation.received < 16 * piece:
            writer.write(pattern(conversation.sent, piece))
            conversation.sent += piece
            await writer.drain()
        else:
            await asyncio.sleep(0.001)


def _failure(task: asyncio.Task[None]) -> BaseException | None:
    return None if task.cancelled() else task.exception()


@dataclass
class Visit:
    """What one keep-alive HTTP client experienced.

    Attributes:
        answered: Complete responses.
        statuses: Their distinct statuses.
        told_to_close: Whether the last one said so.
        unanswered: A request that was sent and got no complete response.
    """

    answered: int
    statuses: set[int]
    told_to_close: bool
    unanswered: bool


async def visit(address: Address, path: str, going_on: Callable[[], bool]) -> Visit:
    """Ask again and again on one connection until told to close it, or to stop."""
    seen = Visit(0, set(), told_to_close=False, unanswered=False)
    reader, writer = await asyncio.open_connection(*address)
    try:
        while going_on() and not seen.told_to_close:
            seen.unanswered = True
            writer.write(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
            await reader.readexactly(length)
            seen.unanswered = False
            seen.answered += 1
            seen.statuses.add(int(head.split()[1]))
            seen.told_to_close = "\r\nconnection: close\r\n" in head
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    return seen
