"""The kernel's send queue: what a client has not acknowledged yet."""

import fcntl
import socket
import struct
import termios

_LENGTH = struct.Struct("i")


def unacknowledged(connection: socket.socket | None) -> int:
    """Return how many bytes the kernel still holds for a client (tcp(7), SIOCOUTQ); 0 if none can.

    A FIN that is not acknowledged counts as one.
    """
    if connection is None:
        return 0
    try:
        answer = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(_LENGTH.size))
    except (OSError, ValueError):  # it is closed
        return 0
    return int(_LENGTH.unpack(answer)[0])
