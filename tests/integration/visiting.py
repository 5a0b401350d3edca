"""Clients that keep a onebox busy, and where it listens."""

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from tests.onebox.running import Onebox

Address = tuple[str, int]

PLACES = {
    "echo": r"echo +127.0.0.1:(\d+)",
    "api": r"api +http://127.0.0.1:(\d+)",
    "echo admin": r"http://127.0.0.1:(\d+) \(echo\)",
    "api admin": r"http://127.0.0.1:(\d+) \(api\)",
}


def address(box: Onebox, place: str) -> Address:
    """Return where one of PLACES listens."""
    return "127.0.0.1", int(box.printed(PLACES[place]))


@contextmanager
def repeating(action: Callable[[], object], pause: float = 0.1) -> Iterator[None]:
    """Act again and again until the block ends."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(pause):
            action()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def visited(box: Onebox, visitors: int) -> Iterator[None]:
    """Keep so many clients asking the api until the block ends.

    Each asks for a greeting, and then for a user or, every second client, for a page of them.
    """
    token = (box.data / "dev.token").read_text().strip()
    api = address(box, "api")

    def visit(second: str) -> None:
        for path in ("/", second):
            ask(api, path, token)

    with ExitStack() as stack:
        for number in range(visitors):
            second = ("/users/1", "/users")[number % 2]
            stack.enter_context(repeating(partial(visit, second), 0.05))
        yield


def ask(place: Address, path: str, token: str = "") -> int:
    """Ask for a path; return the status, 0 if there was no answer."""
    connection = http.client.HTTPConnection(*place, timeout=20)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
    return response.status


def knock(place: Address) -> None:
    """Connect and say something, whether one is served or sent away."""
    try:
        with socket.create_connection(place, timeout=20) as client:
            client.sendall(b"?")
            client.recv(1)
    except OSError:
        pass
