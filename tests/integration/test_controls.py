"""What an operator changes at run time reaches every process, and those that come later."""

import http.client
import json
import os
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.program import Program, loop, running
from tests.waiting import eventually

__all__ = ["loop"]

pytestmark = pytest.mark.slow

TOKEN = "right"  # noqa: S105 - a test's


def put(program: Program, path: str, body: object) -> Any:
    """Write on the admin port; return the answer."""
    connection = http.client.HTTPConnection(*program.admin_address, timeout=10)
    try:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        connection.request("PUT", path, json.dumps(body), headers)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        return json.loads(response.read())
    finally:
        connection.close()


def writable(folder: Path) -> dict[str, str]:
    """Return settings with a token."""
    (folder / "token").write_text(TOKEN)
    return {"BUOY_ADMIN_TOKEN_FILE": str(folder / "token"), "BUOY_WORKERS": "2"}


def test_the_log_level_reaches_every_process_and_a_replacement(tmp_path: Path, loop: str) -> None:
    """Supervisor, admin process, workers, and the one that is forked afterwards; then it ends."""
    with running(
        "web", {**writable(tmp_path), "BUOY_LOOP": loop}, complaints=["worker died"]
    ) as program:
        first, _ = program.await_workers(2)
        put(program, "/log-level", {"level": "debug"})
        eventually(lambda: len(program.logged("log level changed", to="debug")) == 4)
        os.kill(first, signal.SIGKILL)
        program.await_workers(2)
        eventually(lambda: len(program.logged("log level changed", to="debug")) == 5)
        put(program, "/log-level", {"level": None})
        eventually(lambda: len(program.logged("log level changed", to="info")) == 4)


def test_a_container_is_taken_out_of_the_traffic_and_goes_on_serving(tmp_path: Path) -> None:
    """The probe fails; who is connected notices nothing, and metrics tell."""
    with running("web", writable(tmp_path)) as program:
        program.await_workers(2)
        put(program, "/readiness", {"ready": False})
        assert not program.is_ready()
        assert program.metrics().value("bellbuoy_ready") == 0
        program.event("readiness ordered", ready=False)
        host, port = program.address
        with urllib.request.urlopen(f"http://{host}:{port}/", timeout=10) as answer:
            assert answer.status == 200
        put(program, "/readiness", {"ready": True})
        assert program.is_ready()
        program.event("readiness ordered", ready=True)
