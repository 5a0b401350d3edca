"""Imports run one way, and the environment is read in one place of each program."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.repository.tree import ROOT, sources, text

LINT = "from importlinter.cli import lint_imports_command as main; main()"
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv"}


def test_the_import_contracts_of_pyproject_are_kept() -> None:
    """Services stand on the chassis, its layers on lower ones, drivers stay where they belong."""
    linter = subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache", "--no-logo"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "services"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert linter.returncode == 0, linter.stdout + linter.stderr


def test_only_composition_roots_read_the_environment() -> None:
    """`os.environ` and `os.getenv` stand in `__main__.py` files; everything else gets settings."""
    others = [path for path in sources(".py", under="services") if path.name != "__main__.py"]
    assert [f"{path}:{line}" for path in others for line in environment_reads(text(path))] == []


@pytest.mark.parametrize(
    "code",
    [
        "import os; os.environ['A']",
        "import os; os.getenv('A')",
        "from os import environ",
        "from os import getenv as read",
        "import os as o; o.environb",
    ],
)
def test_every_way_to_read_the_environment_is_seen(code: str) -> None:
    """The reader of the code is not fooled by the spelling."""
    assert list(environment_reads(code)) == [1]


def environment_reads(code: str) -> Iterator[int]:
    """Yield the line of each mention of the process environment."""
    nodes = list(ast.walk(ast.parse(code)))
    imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = {a.asname or a.name for node in imports for a in node.names if a.name == "os"}
    for node in nodes:
        match node:
            case ast.Attribute(value=ast.Name(id=module), attr=attr):
                if module in modules and attr in ENVIRONMENT:
                    yield node.lineno
            case ast.ImportFrom(module="os", names=aliases):
                yield from (node.lineno for alias in aliases if alias.name in ENVIRONMENT)
