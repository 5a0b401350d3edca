"""Write the tables of metrics in docs/operations.md from the declarations.

    PYTHONPATH=services python tools/metrics.py docs/operations.md

What a service declares is a row of its table; what the host adds when it renders a scrape, such
as ``process_*``, is found by rendering one.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from api.service import ApiService
from bellbuoy.host.exposition import Exposition
from bellbuoy.host.families import FAMILIES
from bellbuoy.metrics import Family
from bellbuoy.scoreboard import Scoreboard
from bellbuoy.settings import HostSettings
from bellbuoy.snapshot import take
from echo.families import FAMILIES as ECHO

BEGIN = "<!-- metrics: written by `make docs` from the declarations; a test keeps them current -->"
END = "<!-- end of metrics -->"

TABLES: tuple[tuple[str, Sequence[Family]], ...] = (
    ("Every service", FAMILIES),
    ("echo", ECHO),
    ("api", ApiService.families),
)


def rows(families: Sequence[Family]) -> Iterator[str]:
    """Yield a row for each declared family."""
    for family in families:
        yield row(family.name, family.kind, labels(family), family.help)


def rendered() -> Iterator[str]:
    """Yield a row for each family that the host adds to a scrape."""
    board = Scoreboard((), 2)
    board.supervisor = os.getpid()
    slot = board.workers[0]
    slot.take(admin=False)
    slot.pid = os.getpid()
    for family, _ in Exposition("", HostSettings(), lambda: take(board)).families():
        names = ", ".join(f"`{name}`" for name in family.label_names)
        yield row(family.name, family.kind, names, sentence(family.help))


def row(name: str, kind: str, labelled: str, meaning: str) -> str:
    """Return one row, as Markdown."""
    cells = (f"`{name}`", kind, labelled, meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def labels(family: Family) -> str:
    """Return label names with their values, or how many there may be."""
    parts = []
    if family.names:
        names = ", ".join(f"`{name}`" for name in family.names.labels)
        parts.append(f"{names} (at most {family.names.capacity}, then `other`)")
    parts += [f"`{name}`: {', '.join(values)}" for name, values in family.labels.items()]
    return "; ".join(parts)


def sentence(text: str) -> str:
    """End a foreign help text like ours."""
    return text.rstrip(".") + "."


def section() -> str:
    """Return what stands between the marks."""
    lines = [BEGIN]
    for title, families in TABLES:
        lines += ["", f"### {title}", "", "| metric | type | labels | what it is |"]
        lines += ["|---|---|---|---|", *rows(families)]
        if families is FAMILIES:
            lines += rendered()
    return "\n".join([*lines, "", END])


def document(text: str) -> str:
    """Return ``text`` with the tables as they should be."""
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit("the marks of the metrics are gone from the document")
    return before + section() + after


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(document(path.read_text(encoding="utf-8")), encoding="utf-8")
