"""`bellbuoy budget`: numbers from flags and manifests, and an exit status that scripts can use."""

import io
from pathlib import Path

import pytest

from bellbuoy.cli.__main__ import main

MANIFESTS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {BUOY_DB_HOST: postgres, BUOY_WORKERS: "2"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  replicas: 3
  template:
    spec:
      containers: [{name: shop, envFrom: [{configMapRef: {name: settings}}]}]
"""


def test_a_small_stack_fits(capsys: pytest.CaptureFixture[str]) -> None:
    """One instance of the api and PostgreSQL's defaults."""
    assert main(["budget"]) == 0
    assert "It holds" in capsys.readouterr().out


def test_what_does_not_fit_is_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    """And the output says by how much."""
    assert main(["budget", "--replicas", "20", "--workers", "4"]) == 1
    assert "too many" in capsys.readouterr().out


def test_flags_go_before_manifests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What-if questions need no edited file."""
    file = tmp_path / "rendered.yaml"
    file.write_text(MANIFESTS)
    assert main(["budget", "--manifests", str(file)]) == 0
    assert "shop: (3 replicas + 1 surge + 3 leaving) x 2 workers" in capsys.readouterr().out
    assert main(["budget", "--manifests", str(file), "--workers", "9"]) == 1
    assert "x 9 workers" in capsys.readouterr().out


def test_manifests_may_come_through_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As kubectl kustomize writes them."""
    monkeypatch.setattr("sys.stdin", io.StringIO(MANIFESTS))
    assert main(["budget", "--manifests", "-"]) == 0
    assert "shop" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["{", "a: \x00", "kind: Deployment", "- 1", ""])
def test_what_is_no_manifest_is_one_line_of_complaint(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback."""
    file = tmp_path / "rendered.yaml"
    file.write_text(text)
    assert main(["budget", "--manifests", str(file)]) != 0
    assert capsys.readouterr().err.startswith("bellbuoy: ")


def test_a_missing_file_is_a_complaint(capsys: pytest.CaptureFixture[str]) -> None:
    """That names it."""
    assert main(["budget", "--manifests", "/nowhere.yaml"]) != 0
    assert "/nowhere.yaml" in capsys.readouterr().err


@pytest.mark.parametrize("number", ["-1", "x", "1.5", "99999999"])
def test_what_is_no_count_is_refused(number: str) -> None:
    """As every argument that cannot be used: status 2."""
    with pytest.raises(SystemExit, match="2"):
        main(["budget", "--replicas", number])


def test_compose_and_settings_are_read_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rendered compose file, a file of settings beside it, and not two budgets at once."""
    compose, settings = tmp_path / "compose.yaml", tmp_path / "api.env"
    compose.write_text(
        'services: {shop: {environment: {BUOY_DB_HOST: postgres, BUOY_WORKERS: "2"}}}'
    )
    settings.write_text("BUOY_WORKERS=3\nBUOY_DB_POOL_SIZE=40\n")
    assert main(["budget", "--compose", str(compose)]) == 0
    assert "shop: (1 replicas + 0 surge + 0 leaving) x 2 workers" in capsys.readouterr().out
    assert main(["budget", "--compose", str(compose), "--settings", str(settings)]) == 1
    assert "x 3 workers x (40 pool + 1 probe)" in capsys.readouterr().out
    assert main(["budget", "--compose", str(compose), "--manifests", str(compose)]) != 0
    assert "give one" in capsys.readouterr().err
