"""``python -m echo``: what it makes of its environment; that it runs is in tests/integration."""

from typing import Any

import pytest

from bellbuoy import host
from bellbuoy.errors import EnvironmentFault
from echo.__main__ import main
from echo.service import Echo


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the host was asked to run."""
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(
        host, "run", lambda service, _, **ports: asked.append({"": service} | ports)
    )
    monkeypatch.setattr("bellbuoy.logs.configure", lambda *_, **__: None)
    return asked


def test_it_runs_the_service_on_the_ports_of_the_settings(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both of them."""
    monkeypatch.setattr("os.environ", {"BUOY_ECHO_PORT": "1", "BUOY_ECHO_ADMIN_PORT": "2"})
    main()
    (only,) = asked
    assert isinstance(only.pop(""), Echo)
    assert only == {"port": 1, "admin_port": 2}


def test_mistakes_end_it_with_one_message(
    asked: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every mistake on a line of its own, nothing runs."""
    monkeypatch.setattr("os.environ", {"BUOY_ECHO_PORT": "x", "BUOY_LOOP": "y"})
    assert main() == 78
    message = capsys.readouterr().err
    assert message.startswith("echo: BUOY_")
    assert len(message.splitlines()) == 2
    assert asked == []


def test_arguments_run_nothing(
    asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Argparse's status and one line of usage."""
    assert main(["--help"]) == 2
    assert capsys.readouterr().err.startswith("usage: python -m echo ")
    assert asked == []


def test_a_fault_of_the_machine_ends_it_with_its_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a traceback."""

    def fail(*_: object, **__: object) -> None:
        raise EnvironmentFault("cannot listen on purpose")

    monkeypatch.setattr("os.environ", {})
    monkeypatch.setattr("bellbuoy.logs.configure", lambda *_, **__: None)
    monkeypatch.setattr(host, "run", fail)
    assert main() == 1
    assert capsys.readouterr().err == "echo: cannot listen on purpose\n"
