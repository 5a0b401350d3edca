"""A third service is one small file: all that the host gives comes with it."""

import signal

import pytest

from tests.clients import connect, read_exactly
from tests.program import PROGRAMS, loop, running
from tests.waiting import eventually

__all__ = ["loop"]

pytestmark = pytest.mark.slow


def test_a_third_service_has_probes_metrics_tasks_and_a_drain(loop: str) -> None:
    """tests/programs/third.py is served, probed, counted, and drained without losing a line."""
    with running("third", {"BUOY_LOOP": loop, "BUOY_WORKERS": "2"}) as program:
        program.await_workers(2)
        assert [program.get(path).status for path in ("/livez", "/readyz", "/tasks")] == [200] * 3
        with connect(program.address) as client:
            client.sendall(b"hello\nworld\nunfinished")
            assert read_exactly(client, 12) == b"HELLO\nWORLD\n"
            eventually(lambda: program.metrics().value("third_lines_total") == 2)
            assert program.metrics().value("bellbuoy_build_info", service="third") == 1
            program.send(signal.SIGTERM)
            assert client.recv(1) == b""
        assert program.wait() == 0
    assert len(program.logged("stopped", clean=True)) == 3


def test_its_service_is_about_forty_lines() -> None:
    """Comments, docstrings, blank lines and imports aside: what somebody has to think of."""
    code = [
        line
        for line in (PROGRAMS / "third.py").read_text().splitlines()
        if line.strip() and not line.lstrip().startswith(('"""', "#", "import", "from"))
    ]
    assert len(code) <= 50
