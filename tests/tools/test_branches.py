"""The share of branches alone, of a small program that coverage really measured."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository.tree import ROOT

PROGRAM = """
import sys
for number in map(int, sys.argv[1:]):
    if number > 1:
        print(number)
"""

SETTINGS = """
[tool.coverage.run]
branch = true
[tool.coverage.report]
fail_under = 80
"""


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, unmeasured by whoever measures this test."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env={}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "numbers, share, status",
    [
        pytest.param(["1", "2"], "100.00", 0, id="both ways"),
        pytest.param(["2"], "75.00", 1, id="one way, and all lines"),
    ],
)
def test_branches_alone_are_told_and_judged_by_the_bound_of_all(
    tmp_path: Path, numbers: list[str], share: str, status: int
) -> None:
    """Too few of them fail also where coverage is content with lines and branches together."""
    (tmp_path / "pyproject.toml").write_text(SETTINGS)
    (tmp_path / "program.py").write_text(PROGRAM)
    python(tmp_path, "-m", "coverage", "run", "program.py", *numbers)
    assert python(tmp_path, "-m", "coverage", "report").returncode == 0
    judged = python(tmp_path, str(ROOT / "tools" / "branches.py"))
    assert (judged.stdout, judged.returncode) == (f"branches alone: {share} %\n", status)
