"""The Makefile's commands for Kubernetes, with a kubectl that writes down what it is told."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.repository import kustomize
from tests.repository.tree import ROOT

KUBECTL = """#!/bin/sh
echo "$@" >> "$LOG"
case "$*" in
    *"get $PRESENT "*) echo "$PRESENT" ;;
    *"create secret generic"*) echo "made from $6" ;;
    *"--filename=-"*) cat >> "$LOG" ;;
    *"$REFUSED"*) exit 1 ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the commands read, in a path with spaces, beside a kubectl that only writes a log."""
    folder = tmp_path / "a checkout"
    for each in ("deploy", "k8s"):
        shutil.copytree(ROOT / each, folder / each)
    shutil.copy(ROOT / "Makefile", folder)
    kubectl = folder / "bin" / "kubectl"
    kubectl.parent.mkdir()
    kubectl.write_text(KUBECTL)
    kubectl.chmod(0o755)
    return folder


def make(
    checkout: Path, *arguments: str, present: str = "none", refused: str = "nothing"
) -> tuple[int, list[str]]:
    """Run make; return its exit status and the lines of kubectl's log."""
    log = checkout / "log"
    environ = os.environ | {
        "PATH": f"{checkout / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "LOG": str(log),
        "PRESENT": present,
        "REFUSED": refused,
    }
    command = ["make", "--no-print-directory", *arguments]
    result = subprocess.run(command, cwd=checkout, env=environ, check=False, capture_output=True)
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return result.returncode, lines


def creation(name: str, *keys: str) -> str:
    """Return the command that makes a Secret."""
    files = "".join(f"--from-file=secrets/{key} " for key in keys)
    return (
        f"--namespace bellbuoy create secret generic {name} {files}--dry-run=client --output=yaml"
    )


def test_secrets_are_made_after_their_namespace(checkout: Path) -> None:
    """Each key from a file, so that no value is on a command line or in an annotation."""
    status, log = make(checkout, "k8s-secrets")
    assert status == 0
    assert log[1] == "apply --filename=k8s/base/namespace.yaml"
    created = [line for line in log if " create secret generic " in line]
    database = ["postgres.password", "owner.password", "app.password", "metrics.password"]
    assert created == [
        creation("bellbuoy-database", *database),
        creation("bellbuoy-api", "api/api.tokens"),
        creation("bellbuoy-admin", "admin.token"),
    ]
    assert log.count("apply --server-side --filename=-") == len(created)
    values = [path.read_text() for path in (checkout / "secrets").rglob("*") if path.is_file()]
    assert len(set(values)) == len(values)
    assert [line for line in log if any(value in line for value in values)] == []


def test_a_secret_that_is_there_is_kept(checkout: Path) -> None:
    """The database has its passwords, and they cannot be changed from here."""
    status, log = make(checkout, "k8s-secrets", present="secret bellbuoy-database")
    assert status == 0
    assert [line.split()[5] for line in log if " create secret generic " in line] == [
        "bellbuoy-api",
        "bellbuoy-admin",
    ]


def test_a_namespace_that_is_there_is_left_alone(checkout: Path) -> None:
    """The overlay gave it more labels than the file has."""
    status, log = make(checkout, "k8s-secrets", present="namespace bellbuoy")
    assert status == 0
    assert [line for line in log if "namespace.yaml" in line] == []


def test_secrets_that_the_cluster_refuses_are_a_failure(checkout: Path) -> None:
    """The exit status of the last command of the pipe counts."""
    status, _ = make(checkout, "k8s-secrets", refused="namespace.yaml")
    assert status != 0


def test_applying_runs_the_migrations_again_and_waits(checkout: Path) -> None:
    """The old Job goes first, because an image of the same tag may have new migrations."""
    status, log = make(checkout, "k8s-apply", "OVERLAY=production")
    assert status == 0
    assert [line.removeprefix("--namespace bellbuoy ") for line in log] == [
        "delete job --selector=app.kubernetes.io/name=bellbuoy-migrate --ignore-not-found",
        "apply --kustomize=k8s/overlays/production",
        "rollout status statefulset/bellbuoy-postgres --timeout=10m",
        "rollout status deployment/bellbuoy-echo --timeout=10m",
        "rollout status deployment/bellbuoy-api --timeout=10m",
    ]


@pytest.mark.parametrize("step", ["apply", "statefulset", "echo"])
def test_a_step_that_fails_ends_the_apply(checkout: Path, step: str) -> None:
    """Nothing after it is done, and make says so."""
    status, log = make(checkout, "k8s-apply", refused=step)
    assert status != 0
    assert step in log[-1]


@pytest.mark.parametrize("overlay", kustomize.OVERLAYS)
def test_rendering_writes_one_file_of_plain_objects(checkout: Path, overlay: str) -> None:
    """Without anything that only kustomize understands, the namespace first."""
    kustomize.command()  # skips where there is none
    (checkout / "bin" / "kubectl").unlink()
    status, _ = make(checkout, "k8s-render", f"OVERLAY={overlay}")
    assert status == 0
    objects = tuple(yaml.safe_load_all((checkout / "dist" / f"{overlay}.yaml").read_text()))
    assert objects == kustomize.rendering(overlay).objects
    assert objects[0]["kind"] == "Namespace"
    assert {"Kustomization", "Component"} & {each["kind"] for each in objects} == set()


def test_a_rendering_that_fails_leaves_no_file(checkout: Path) -> None:
    """Nobody applies half of it."""
    (checkout / "bin" / "kubectl").write_text("#!/bin/sh\necho half; exit 1\n")
    status, _ = make(checkout, "k8s-render")
    assert status != 0
    assert not (checkout / "dist" / "dev.yaml").exists()
