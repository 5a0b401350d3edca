"""What every benchmark leaves: a JSON file that says how it was made, and a chart."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path

RESULTS = Path(__file__).parent / "results"

Tables = dict[str, Sequence[Sequence[str]]]
"""By heading; the first row is the head."""

_ROW, _LABEL, _BAR, _GAP = 22, 190, 420, 34


def write_json(name: str, command: str, results: object) -> Path:
    """Write ``results`` to ``bench/results/NAME.json`` with the command and the machine."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    record = {
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "cpus": os.cpu_count(),
        "results": results,
    }
    path.write_text(json.dumps(record, indent=1) + "\n")
    return path


def write_tables(name: str, command: str, tables: Mapping[str, Sequence[Sequence[str]]]) -> Path:
    """Write ``bench/results/NAME.md``: for each heading a table, whose first row is its head."""
    machine = f"Python {platform.python_version()}, Linux {platform.release()}"
    today = datetime.now(UTC).date().isoformat()
    lines = [f"Written by `{command}` on {today}: {machine}, {os.cpu_count()} CPUs."]
    for heading, (head, *rows) in tables.items():
        body = [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
        lines += ["", f"## {heading}", "", *body]
    path = RESULTS / f"{name}.md"
    path.write_text("\n".join(lines) + "\n")
    return path


def write_bars(name: str, title: str, groups: Mapping[str, Sequence[tuple[str, float]]]) -> Path:
    """Write ``bench/results/NAME.svg``: for each group its bars, each labelled with its value.

    Args:
        name: The file's name.
        title: What the bars measure, with the unit.
        groups: For each heading the bars, label and value; one scale for each group.
    """
    parts = [f'<text x="8" y="20" class="title">{escape(title)}</text>']
    y = 34
    for heading, bars in groups.items():
        y += _GAP - _ROW // 2
        parts.append(f'<text x="8" y="{y}" class="heading">{escape(heading)}</text>')
        most = max(value for _, value in bars)
        for label, value in bars:
            y += _ROW
            parts.append(_bar(y, label, value, most))
    height = y + _ROW
    width = _LABEL + _BAR + 90
    style = (
        "text{font:13px sans-serif;fill:#57606a}.title{font-weight:bold}"
        ".heading{font-style:italic}rect{fill:#8c959f}.own{fill:#0969da}"
    )
    path = RESULTS / f"{name}.svg"
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}"><style>{style}</style>\n' + "\n".join(parts) + "\n</svg>\n"
    )
    return path


def _bar(y: int, label: str, value: float, most: float) -> str:
    width = max(1, round(_BAR * value / most))
    kind = ' class="own"' if label.startswith("bellbuoy") else ""
    return (
        f'<text x="8" y="{y}">{escape(label)}</text>'
        f'<rect x="{_LABEL}" y="{y - 12}" width="{width}" height="15"{kind}/>'
        f'<text x="{_LABEL + width + 6}" y="{y}">{value:,.2f}</text>'
    )
