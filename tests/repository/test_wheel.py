"""The distribution: a wheel that holds the chassis and nothing of the services."""

import subprocess
import sys
import zipfile
from email import message_from_bytes

import pytest

import bellbuoy
from tests.repository.tree import ROOT, files


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    """The wheel, built from this tree."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    build = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert build.returncode == 0, build.stdout + build.stderr
    (path,) = folder.glob("*.whl")
    return zipfile.Path(path)


def test_the_wheel_holds_the_chassis_only(wheel: zipfile.Path) -> None:
    """The package `bellbuoy` is complete, typed, and alone."""
    entries = [entry.filename for entry in wheel.root.infolist()]
    names = {name for name in entries if ".dist-info/" not in name}
    chassis = [path for path in files() if path.is_relative_to("services/bellbuoy")]
    assert names == {str(path.relative_to("services")) for path in chassis}
    assert "bellbuoy/py.typed" in names


def test_the_wheel_is_what_it_says(wheel: zipfile.Path) -> None:
    """Version, licence and requirements are in the metadata."""
    (info,) = (p for p in wheel.iterdir() if p.name.endswith(".dist-info"))
    metadata = message_from_bytes((info / "METADATA").read_bytes())
    assert metadata["Version"] == bellbuoy.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata.get_all("Provides-Extra") == ["cli", "database"]
    assert (info / "licenses" / "LICENSE").exists()
