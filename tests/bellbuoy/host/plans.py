"""A plan for tests: real listeners, a real scoreboard, a service that does nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from bellbuoy.host.families import FAMILIES
from bellbuoy.host.listeners import listen
from bellbuoy.host.plan import Plan
from bellbuoy.scoreboard import Scoreboard
from bellbuoy.settings import HostSettings
from tests.bellbuoy.host.services import Silence


@contextmanager
def planned(workers: int = 2) -> Iterator[Plan]:
    """Yield a plan of so many traffic workers and an admin process."""
    with (
        listen("127.0.0.1", 0, 5, "BUOY_X_PORT") as listener,
        listen("127.0.0.1", 0, 5, "BUOY_X_ADMIN_PORT") as admin_listener,
    ):
        board = Scoreboard(FAMILIES, workers + 2)
        settings = HostSettings(workers=workers)
        yield Plan(Silence(), Silence(), settings, listener, admin_listener, board)
