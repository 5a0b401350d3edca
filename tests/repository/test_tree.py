"""What counts as the repository: the files that are kept, and nothing that a tool or run left."""

from pathlib import Path

import pytest

from tests.repository.tree import files, is_ignored


@pytest.mark.parametrize(
    "path", [".git", ".venv", ".env", ".coverage.host.pid7", "secrets", "tests/echo/__pycache__"]
)
def test_what_gitignore_names_is_not_kept(path: str) -> None:
    """Secrets, environments, caches and measurements are this machine's business."""
    assert is_ignored(Path(path))


@pytest.mark.parametrize("path", ["k8s/secrets", ".gitignore", "docs/.env.example", "Makefile"])
def test_what_only_looks_like_it_is_kept(path: str) -> None:
    """A pattern of the root says nothing about the folders below."""
    assert not is_ignored(Path(path))


def test_the_tree_is_seen() -> None:
    """Hidden folders that belong to it included."""
    assert {Path(".ci/run"), Path("Makefile"), Path("tests/conftest.py")} <= set(files())
