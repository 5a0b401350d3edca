"""Listening sockets: bound once by the supervisor, inherited by every process it forks."""

import errno
import os
import socket
from pathlib import Path

from bellbuoy.errors import EnvironmentFault
from bellbuoy.host import socketfile

QUEUE = 256 * 1024
"""Bytes of a connection that the kernel queues each way, which it doubles for its bookkeeping. Left
to itself it keeps megabytes of an answer that nobody reads, and of what nobody can be answered, in
memory that counts as the container's."""


def listen(
    host: str, port: int, backlog: int, variable: str, host_variable: str = "BUOY_HOST"
) -> socket.socket:
    """Return a non-blocking socket that listens on ``host`` and ``port``.

    ``::`` listens on IPv4 as well; ``unix:/path`` is a unix socket, without a port. TCP_NODELAY,
    keepalive and the bounds of the kernel's queues stand on the listener, because accepted sockets
    inherit them.

    Args:
        host: A name, an address, or ``unix:`` and a path.
        port: 0 lets the kernel choose.
        backlog: Connections the kernel queues for accept.
        variable: The setting that chooses the port, for the message.
        host_variable: The setting that chooses the address, for the message.

    Raises:
        EnvironmentFault: The address cannot be resolved or bound, or is in use.
    """
    if host.startswith(socketfile.PREFIX):
        listener = socketfile.bind(Path(host.removeprefix(socketfile.PREFIX)), backlog)
        listener.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        return listener
    try:
        family, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.create_server(
            address,
            family=family,
            backlog=backlog,
            dualstack_ipv6=family == socket.AF_INET6 and host == "::",
        )
    except OSError as error:
        # In use, or below 1024: another port will do. Otherwise there is no such address here.
        is_port = error.errno in {errno.EADDRINUSE, errno.EACCES}
        remedy = f"{variable} chooses another port" if is_port else f"{host_variable} names it"
        raise EnvironmentFault(
            f"cannot listen on {host} port {port}: {_reason(error)}; {remedy}"
        ) from error
    listener.setblocking(False)  # noqa: FBT003 - the socket module's own signature
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, QUEUE)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, QUEUE)
    _keep_alive(listener)
    return listener


def address(listener: socket.socket) -> str:
    """Return ``host:port`` of a listener, with brackets around IPv6, or ``unix:`` and its path."""
    if listener.family == socket.AF_UNIX:
        return f"{socketfile.PREFIX}{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _reason(error: OSError) -> str:
    # The address is said already; a resolver's error numbers are not the system's.
    if error.errno is None or isinstance(error, socket.gaierror):
        return str(error.strerror)
    return os.strerror(error.errno)


def _keep_alive(listener: socket.socket) -> None:
    # A vanished peer is noticed after 60 + 3 x 10 s when idle, and after as long when data is
    # unacknowledged; the kernel's own defaults are two hours and a quarter of one.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 90_000)
