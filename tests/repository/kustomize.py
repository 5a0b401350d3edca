"""k8s/ as `kubectl kustomize` writes it, without flags, from the checkout or a changed copy."""

import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest
import yaml

from tests.repository.manifests import Manifests
from tests.repository.tree import ROOT

FOLDERS = ("k8s", "deploy/config", "deploy/grafana", "deploy/postgres")
"""What a rendering reads."""

OVERLAYS = ("dev", "production")
COMPONENTS = ("autoscaling", "gateway", "monitoring")
RENDERINGS = (*OVERLAYS, *COMPONENTS)
"""Both overlays as they are, and dev with each component alone."""

WITH_COMPONENT = """
components:
  - ../../components/{}
"""


def command() -> list[str]:
    """Return the renderer of this machine: kubectl, or kustomize, which is the same one alone.

    Where there is neither, the test is skipped, but never in continuous integration.
    """
    for program in (["kubectl", "kustomize"], ["kustomize", "build"]):
        if shutil.which(program[0]):
            return program
    complaint = "kubectl or kustomize is needed to render k8s/"
    if os.environ.get("CI"):
        pytest.fail(complaint)
    pytest.skip(complaint)


def render(overlay: Path) -> Manifests:
    """Return the objects of an overlay's folder.

    Raises:
        CalledProcessError: kustomize refused; ``stderr`` says why.
    """
    result = subprocess.run([*command(), overlay], check=True, capture_output=True, text=True)
    return Manifests(tuple(yaml.load_all(result.stdout, Loader=yaml.CSafeLoader)))


@cache
def rendering(name: str) -> Manifests:
    """Return one of RENDERINGS."""
    if name in OVERLAYS:
        return render(ROOT / "k8s" / "overlays" / name)
    component = ("k8s/overlays/dev/kustomization.yaml", "", WITH_COMPONENT.format(name))
    return changed("dev", component)


@cache
def changed(overlay: str, *changes: tuple[str, str, str]) -> Manifests:
    """Return the objects of an overlay in a copy of the checkout.

    Args:
        overlay: One of OVERLAYS.
        changes: File, old text, new text; without an old text the new one is added at the end.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for each in FOLDERS:
            shutil.copytree(ROOT / each, copy / each)
        for name, old, new in changes:
            file = copy / name
            text = file.read_text()
            assert old in text, f"{name} has no {old!r}"
            file.write_text(text.replace(old, new) if old else text + new)
        return render(copy / "k8s" / "overlays" / overlay)
