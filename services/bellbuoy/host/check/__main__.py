"""The container's own health check: ask the admin port, exit 0 if it answers 200.

Law of this file: run by its path with ``python -I -S``, it imports nothing but the standard
library's sockets. Every container runs it every few seconds: 15 ms of a processor, where importing
the chassis would take 100 and a client of the standard library 50.
"""

import os
import socket
import sys

SECONDS = 2.0
"""For the whole question; the orchestrator's own limit is longer."""


def check(address: tuple[str, int], path: str) -> str | None:
    """Return what is wrong with ``path`` on the admin port, or None if it answers 200."""
    try:
        with socket.create_connection(address, timeout=SECONDS) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            status = connection.makefile("rb").readline(64).split(b" ", 2)
    except OSError as error:
        return f"{path}: {error}"
    return None if status[1:2] == [b"200"] else f"{path}: {b' '.join(status).decode().strip()}"


def main(variable: str, default: str, path: str = "/livez") -> str | None:
    """Check this container.

    Args:
        variable: The environment variable that may name another admin port.
        default: The admin port of the service, unless it does.
        path: What to ask for.
    """
    host = os.environ.get("BUOY_ADMIN_HOST", "127.0.0.1")
    # Bound to every address, it also has this one.
    host = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - compared, not bound
    return check((host, int(os.environ.get(variable, default))), path)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
