"""Listening sockets: what accepted connections inherit, and errors that say what to change."""

import socket
import struct
from pathlib import Path

import pytest

from bellbuoy.errors import EnvironmentFault
from bellbuoy.host.listeners import QUEUE, address, listen


def option(listener: socket.socket, level: int, name: int) -> int:
    """Return an option of a connection that ``listener`` accepts."""
    with socket.create_connection(listener.getsockname()[:2]):
        listener.setblocking(True)  # noqa: FBT003 - the socket module's own signature
        connection, _ = listener.accept()
        with connection:
            return connection.getsockopt(level, name)


def test_a_listener_does_not_block() -> None:
    """An event loop waits for it."""
    with listen("127.0.0.1", 0, 5, "BUOY_X_PORT") as listener:
        assert listener.getblocking() is False
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize(
    "level, name, value",
    [
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 90_000),
    ],
)
def test_connections_inherit_what_is_set_on_the_listener(level: int, name: int, value: int) -> None:
    """So that no connection costs a system call for it."""
    with listen("127.0.0.1", 0, 5, "BUOY_X_PORT") as listener:
        assert option(listener, level, name) == value


@pytest.mark.parametrize(
    "name, most",
    [(socket.SO_SNDBUF, "wmem_max"), (socket.SO_RCVBUF, "rmem_max")],
)
def test_the_kernel_queues_so_much_and_no_more(name: int, most: str) -> None:
    """Unless the kernel allows less; it doubles the number (socket(7))."""
    allowed = min(QUEUE, int(Path(f"/proc/sys/net/core/{most}").read_text()))
    with listen("127.0.0.1", 0, 5, "BUOY_X_PORT") as listener:
        assert option(listener, socket.SOL_SOCKET, name) == 2 * allowed


def test_the_backlog_is_in_force() -> None:
    """The kernel says so where it has a limit of its own that is not lower (``ss -ltn``)."""
    longest = int(Path("/proc/sys/net/core/somaxconn").read_text())
    with listen("127.0.0.1", 0, 4096, "BUOY_X_PORT") as listener:
        info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        # Of a listener, tcpi_sacked is the length of its queue: struct tcp_info, linux/tcp.h.
        assert struct.unpack_from("8B6I", info)[-1] == min(4096, longest)


def test_a_port_in_use_says_which_and_what_chooses_another() -> None:
    """The cause is kept."""
    with listen("127.0.0.1", 0, 5, "BUOY_X_PORT") as holder:
        port = holder.getsockname()[1]
        with pytest.raises(EnvironmentFault) as caught:
            listen("127.0.0.1", port, 5, "BUOY_X_PORT")
    assert str(caught.value) == (
        f"cannot listen on 127.0.0.1 port {port}: Address already in use; "
        "BUOY_X_PORT chooses another port"
    )
    assert isinstance(caught.value.__cause__, OSError)


def test_a_name_that_does_not_resolve_says_so() -> None:
    """The resolver's own words."""
    with pytest.raises(EnvironmentFault, match=r"^cannot listen on no-such-host\.invalid port 0: "):
        listen("no-such-host.invalid", 0, 5, "BUOY_X_PORT")


def test_an_address_is_shown_as_it_is_typed() -> None:
    """Host and port."""
    with listen("127.0.0.1", 0, 5, "BUOY_X_PORT") as listener:
        assert address(listener) == f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_the_wildcard_of_ipv6_takes_ipv4_too() -> None:
    """Kubernetes may give a pod either."""
    with listen("::", 0, 5, "BUOY_X_PORT") as listener:
        port = listener.getsockname()[1]
        assert address(listener) == f"[::]:{port}"
        socket.create_connection(("127.0.0.1", port)).close()


def test_an_address_of_another_machine_names_the_setting_of_the_address() -> None:
    """Another port would not help."""
    with pytest.raises(EnvironmentFault, match=r"; BUOY_HOST names it$"):
        listen("192.0.2.1", 0, 5, "BUOY_X_PORT")
