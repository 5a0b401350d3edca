"""The controls: told to everybody, changed by who knows the token."""

import io
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from bellbuoy import logs
from bellbuoy.host import Worker
from bellbuoy.host.admin import Admin
from bellbuoy.host.controls import DAY
from bellbuoy.host.families import FAMILIES
from bellbuoy.instruments import Instruments
from bellbuoy.lifecycle import State
from bellbuoy.metrics import Layout
from bellbuoy.monitor import AsyncMonitor
from bellbuoy.scoreboard import Scoreboard
from bellbuoy.settings import HostSettings
from tests.bellbuoy.host.listening import client, listening
from tests.bellbuoy.test_logs import events, restored

__all__ = ["restored"]

TOKEN = "right"  # noqa: S105 - a test's


@pytest.fixture
def board() -> Scoreboard:
    """A supervisor that lives and a worker that is ready."""
    board = Scoreboard(FAMILIES, 3)
    board.supervisor = os.getpid()
    board.beat = time.monotonic()
    board.workers[0].take(admin=False)
    board.workers[0].step(State.READY)
    return board


@pytest.fixture
def settings(tmp_path: Path) -> HostSettings:
    """With a token."""
    (tmp_path / "token").write_text(TOKEN + "\n")
    return HostSettings(admin_token_file=tmp_path / "token")


class Operator:
    """Asks the admin port of one container."""

    def __init__(self, board: Scoreboard, settings: HostSettings) -> None:
        """Have its address."""
        self.board = board
        self.settings = settings

    async def ask(self, method: str, path: str, body: object = "", token: str = TOKEN) -> Any:
        """Return status and decoded answer."""
        service = Admin("test", self.settings, self.board)
        sent = body if isinstance(body, str) else json.dumps(body)
        request = (
            f"{method} {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Length: {len(sent)}\r\n\r\n{sent}"
        )
        worker = Worker(Instruments(Layout(FAMILIES)), AsyncMonitor())
        async with (
            service.open(worker) as server,
            listening(server) as address,
            client(address) as talk,
        ):
            talk.writer.write(request.encode())
            head, answer = await talk.answer()
            return int(head.split()[1]), json.loads(answer)


@pytest.fixture
def operator(board: Scoreboard, settings: HostSettings) -> Operator:
    """One who knows the token."""
    return Operator(board, settings)


async def test_the_level_is_told_and_changed(operator: Operator) -> None:
    """For good, until it is taken back."""
    told = {"level": "info", "configured": "info", "seconds_left": None}
    assert await operator.ask("GET", "/log-level", token="") == (200, told)
    changed = {**told, "level": "debug"}
    assert await operator.ask("PUT", "/log-level", {"level": "debug"}) == (200, changed)
    assert operator.board.commands.level(time.monotonic() + 1e9) == "debug"
    assert await operator.ask("GET", "/log-level") == (200, changed)
    assert await operator.ask("PUT", "/log-level", {"level": None}) == (200, told)


async def test_a_level_can_be_lent(operator: Operator) -> None:
    """It falls back by itself; until then the answer says how long it holds."""
    status, told = await operator.ask("PUT", "/log-level", {"level": "error", "seconds": 60})
    assert (status, told["level"]) == (200, "error")
    assert 30 < told["seconds_left"] <= 60
    assert operator.board.commands.level(time.monotonic() + 61) is None


@pytest.mark.parametrize(
    "body",
    [
        "",
        "debug",
        "[]",
        {"level": "loud"},
        {"level": "debug", "seconds": 0},
        {"level": "debug", "seconds": DAY + 1},
        {"level": "debug", "minutes": 1},
        {},
        {"ready": "yes"},
    ],
)
@pytest.mark.parametrize("path", ["/log-level", "/readiness"])
async def test_what_is_not_understood_changes_nothing(
    operator: Operator, path: str, body: object
) -> None:
    """400 says what is wrong with it."""
    status, problem = await operator.ask("PUT", path, body)
    assert (status, bool(problem["detail"])) == (400, True)
    assert operator.board.commands.level(0.0) is None
    assert not operator.board.commands.withdrawn


@pytest.mark.parametrize("path", ["/log-level", "/readiness"])
async def test_who_does_not_know_the_token_changes_nothing(operator: Operator, path: str) -> None:
    """401 with a wrong one."""
    status, _ = await operator.ask("PUT", path, {"level": "debug", "ready": False}, token="")
    assert status == 401
    operator.settings = HostSettings()
    status, problem = await operator.ask("PUT", path, {"level": "debug"})
    assert status == 403
    assert "BUOY_ADMIN_TOKEN_FILE" in problem["detail"]


async def test_a_container_is_taken_out_of_the_traffic_and_put_back(operator: Operator) -> None:
    """The probe fails at once, liveness does not."""
    assert await operator.ask("GET", "/readiness") == (200, {"withdrawn": False})
    assert await operator.ask("PUT", "/readiness", {"ready": False}) == (200, {"withdrawn": True})
    assert (await operator.ask("GET", "/readyz"))[0] == 503
    assert (await operator.ask("GET", "/livez"))[0] == 200
    assert await operator.ask("PUT", "/readiness", {"ready": True}) == (200, {"withdrawn": False})
    assert (await operator.ask("GET", "/readyz"))[0] == 200


async def test_each_order_is_logged_whatever_the_level(operator: Operator) -> None:
    """Also at one that hides warnings; what was refused is no order."""
    logs.configure("error", written := io.StringIO())
    await operator.ask("PUT", "/log-level", {"level": "debug", "seconds": 60})
    await operator.ask("PUT", "/readiness", {"ready": False})
    await operator.ask("PUT", "/readiness", {"ready": True}, token="wrong")  # noqa: S106 - a test's
    level, readiness = events(written)
    assert (level["message"], level["level"]) == ("log level ordered", "warning")
    assert (level["to"], level["seconds"]) == ("debug", 60)
    assert (readiness["message"], readiness["ready"]) == ("readiness ordered", False)
