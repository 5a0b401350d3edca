"""Bad neighbours: a figure is of as many as it says."""

import socket
from collections.abc import Iterator

import pytest

from bench.echo.contestants import Contestant, Running
from bench.echo.neighbours import stalled

pytestmark = pytest.mark.slow


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Clients of it stall: nobody reads what they send."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def server(listener: socket.socket) -> Running:
    """Return it as something that is measured."""
    return Running(Contestant("nobody", (), {}), listener.getsockname()[1], 0)


def test_clients_that_stall_stay_until_the_measurement_is_over(listener: socket.socket) -> None:
    """Nothing is said of them."""
    with stalled(server(listener), 3):
        pass


def test_a_measurement_beside_clients_that_were_cut_is_none(listener: socket.socket) -> None:
    """The service that cuts them would look as if it bore them."""
    with pytest.raises(AssertionError, match="1 of 3 that never read were cut"):  # noqa: PT012, SIM117
        with stalled(server(listener), 3):
            cut, _ = listener.accept()
            cut.close()  # with unread bytes: a reset
