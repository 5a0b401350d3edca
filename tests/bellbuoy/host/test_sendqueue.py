"""The kernel's send queue, of real connections."""

import socket

from bellbuoy.host.listeners import listen
from bellbuoy.host.sendqueue import unacknowledged
from tests.waiting import eventually


def test_what_the_client_s_kernel_has_not_taken_is_counted() -> None:
    """Until it does; a FIN counts as one."""
    with listen("127.0.0.1", 0, 5, "BUOY_X_PORT") as listener, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(listener.getsockname())
        listener.setblocking(True)  # noqa: FBT003 - the socket module's own signature
        connection, _ = listener.accept()
        with connection:
            assert unacknowledged(connection) == 0
            connection.setblocking(False)  # noqa: FBT003 - as above
            sent = connection.send(bytes(100_000))
            assert 0 < unacknowledged(connection) < sent
            connection.shutdown(socket.SHUT_WR)
            assert len(client.makefile("rb").read()) == sent
            eventually(lambda: unacknowledged(connection) == 0)


def test_what_is_closed_holds_nothing() -> None:
    """And so does what never had a socket."""
    connection, client = socket.socketpair()
    connection.close()
    client.close()
    assert unacknowledged(connection) == 0
    assert unacknowledged(None) == 0
