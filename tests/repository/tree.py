"""The tree as its authors keep it: everything in the checkout that .gitignore does not name."""

import os
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_LINES = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
_IGNORED = [".git", *(line for line in _LINES if line and not line.startswith("#"))]


@cache
def files() -> tuple[Path, ...]:
    """Return every kept file, relative to the checkout, without asking git, which may be absent."""
    found: list[Path] = []
    for folder, subfolders, names in os.walk(ROOT):
        here = Path(folder).relative_to(ROOT)
        subfolders[:] = sorted(name for name in subfolders if not is_ignored(here / name))
        found += [here / name for name in sorted(names) if not is_ignored(here / name)]
    return tuple(found)


def is_ignored(path: Path) -> bool:
    """Return whether .gitignore names `path`: from the root after a slash, else in any folder."""
    return any(
        fnmatch(str(path), pattern.strip("/"))
        if pattern.startswith("/")
        else fnmatch(path.name, pattern.strip("/"))
        for pattern in _IGNORED
    )


def sources(*suffixes: str, under: str = "") -> list[Path]:
    """Return the kept files with one of these suffixes below a folder."""
    return [
        path
        for path in files()
        if path.suffix in suffixes and (not under or path.is_relative_to(under))
    ]


def text(path: Path) -> str:
    """Return a kept file's text."""
    return (ROOT / path).read_text(encoding="utf-8")
