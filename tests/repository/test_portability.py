"""Nothing in the tree knows where it was written or where its packages came from."""

import re
from pathlib import Path

import pytest

from tests.repository.tree import ROOT, files

# The brackets around one letter keep each pattern from finding itself.
INDEX_HOST = re.compile(
    r"py[p]i\.(org|python)|python[h]osted\.org|(deb|security)\.[d]ebian\.org|registry\.[n]pmjs"
)
MACHINE_PATH = re.compile(r"(?<![\w.{}$-])/(root|home|Users|work)/[\w.]")
UNFINISHED = re.compile(r"\b([T]ODO|[F]IXME|[X]XX|[H]ACK)\b")

PATTERNS = {
    "index-host": (INDEX_HOST, "https://{}.org/simple".format("pypi")),
    "machine-path": (MACHINE_PATH, "see /{}/project".format("root")),
    "unfinished-mark": (UNFINISHED, "# {}DO: later".format("TO")),
}


@pytest.mark.parametrize("kind", PATTERNS)
def test_no_file_mentions(kind: str) -> None:
    """Lock files, documents and code work with every package index and in every folder."""
    pattern, _ = PATTERNS[kind]
    assert [hit for path in files() if is_ours(path) for hit in hits(pattern, path)] == []


@pytest.mark.parametrize("kind", PATTERNS)
def test_the_pattern_finds_what_it_is_for(kind: str) -> None:
    """A pattern that matches nothing would keep nothing out."""
    pattern, example = PATTERNS[kind]
    assert pattern.search(example)


def is_ours(path: Path) -> bool:
    """Return whether a file is not one that others wrote and that is kept as they ship it."""
    return "vendor" not in path.parts


def hits(pattern: re.Pattern[str], path: Path) -> list[str]:
    """Return `file:line: text` for each line of a text file that matches."""
    try:
        lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return []
    return [f"{path}:{n}: {line}" for n, line in enumerate(lines, 1) if pattern.search(line)]
