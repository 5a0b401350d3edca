"""The dashboards as tests read them: panels, queries and variables."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.repository.tree import sources, text

FOLDER = Path("deploy/grafana/dashboards")
_LABEL_VALUES = re.compile(r"label_values\((.+), (\w+)\)")

Panel = dict[str, Any]


@dataclass(frozen=True)
class Board:
    """One dashboard.

    Args:
        stem: Its file's name.
        content: What the file holds.
    """

    stem: str
    content: dict[str, Any]

    def panels(self) -> list[Panel]:
        """Return everything but the headings."""
        return [panel for panel in self.content["panels"] if panel["type"] != "row"]

    def queries(self) -> Iterator[tuple[Panel, str]]:
        """Yield every query with its panel."""
        for panel in self.panels():
            yield from ((panel, target["expr"]) for target in panel["targets"])

    def variables(self) -> dict[str, tuple[str, str]]:
        """Return where each variable gets its values from: series and label."""
        found = {}
        for each in self.content["templating"]["list"]:
            if each["type"] == "query":
                asked = _LABEL_VALUES.fullmatch(each["query"]["query"])
                assert asked, each
                found[each["name"]] = (asked[1], asked[2])
        return found

    def substituted(self, expression: str, intervals: Mapping[str, str]) -> str:
        """Return an expression as Grafana sends it when everything is chosen."""
        values = {f"${name}": ".*" for name in self.variables()} | dict(intervals)
        for name in sorted(values, key=len, reverse=True):
            expression = expression.replace(name, values[name])
        return expression


def boards() -> list[Board]:
    """Return every dashboard."""
    return [
        Board(path.stem, json.loads(text(path))) for path in sources(".json", under=str(FOLDER))
    ]
