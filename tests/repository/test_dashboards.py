"""Dashboards ask for what is exported, look alike, and are where both orchestrators find them."""

import re
from itertools import combinations
from typing import Any

import pytest

from tests.repository.catalogue import complaints, exported
from tests.repository.dashboards import Board, Panel, boards
from tests.repository.promql import Selector, groupings, selectors
from tests.repository.rules import recorded

EVERY = pytest.mark.parametrize("board", boards(), ids=lambda board: board.stem)
INTERVALS = {"$__rate_interval": "5m", "$__range": "1h"}
TYPES = {"stat", "timeseries", "heatmap", "table"}


def test_every_subject_has_its_dashboard() -> None:
    """The stack, both services, the database, the monitor."""
    assert {board.stem for board in boards()} == {
        "overview",
        "echo",
        "api",
        "postgresql",
        "asyncmonitor",
    }


@EVERY
def test_a_dashboard_keeps_its_address_and_finds_any_prometheus(board: Board) -> None:
    """Its uid is its name, and the data source is chosen by whoever looks, not written down."""
    content = board.content
    assert content["uid"] == f"bellbuoy-{board.stem}"
    assert content["description"]
    assert content["tags"] == ["bellbuoy"]
    assert [link["tags"] for link in content["links"]] == [["bellbuoy"]]
    assert content["templating"]["list"][0]["name"] == "datasource"
    assert set(re.findall(r"'uid': '([^']+)'\}", str(content))) == {"${datasource}"}
    assert "instance" in board.variables()


@EVERY
def test_a_panel_says_what_it_shows(board: Board) -> None:
    """A sentence, a unit, thresholds, a legend where there are several lines."""
    for panel in board.panels():
        defaults = panel["fieldConfig"]["defaults"]
        assert panel["type"] in TYPES
        assert panel["description"].endswith("."), panel["title"]
        assert defaults["unit"], panel["title"]
        assert panel["type"] == "heatmap" or defaults["thresholds"]["steps"], panel["title"]
        assert panel["type"] != "timeseries" or all(
            each["legendFormat"] for each in panel["targets"]
        )


@EVERY
def test_panels_have_names_of_their_own_and_do_not_cover_each_other(board: Board) -> None:
    """Links to a panel carry its id."""
    panels = board.content["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for one, other in combinations(panels, 2):
        assert not overlap(one, other), (one["title"], other["title"])
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)


@EVERY
def test_queries_ask_for_what_is_exported(board: Board) -> None:
    """Names, labels and values; and every variable in them is one of the dashboard's."""
    asked = [query for _, query in board.queries()]
    asked += [series for series, _ in board.variables().values()]
    for query in asked:
        expression = board.substituted(query, INTERVALS)
        assert "$" not in expression
        found = [
            complaint
            for selector in selectors(expression)
            if selector.metric != "ALERTS"
            for complaint in complaints(selector, recorded())
        ]
        assert found == [], query
        assert groupings(expression) <= {"alertname", "severity"} | labels(selectors(expression))


@EVERY
def test_variables_take_their_values_from_a_label_that_exists(board: Board) -> None:
    """Of the series that they name."""
    for series, label in board.variables().values():
        (selector,) = selectors(series)
        assert label in exported()[selector.metric]


def labels(asked: Any) -> set[str]:
    """Return all labels of these selectors' metrics."""
    known = {**exported(), **recorded(), "ALERTS": {}}
    return {name for selector in asked for name in known[selector.metric]}


def overlap(one: Panel, other: Panel) -> bool:
    """Return whether two panels share a place."""
    a, b = one["gridPos"], other["gridPos"]
    return bool(
        a["x"] < b["x"] + b["w"]
        and b["x"] < a["x"] + a["w"]
        and a["y"] < b["y"] + b["h"]
        and b["y"] < a["y"] + a["h"]
    )


def test_a_mistake_is_noticed() -> None:
    """In a place, and in a name behind a variable."""
    there = {"gridPos": {"x": 0, "y": 0, "w": 8, "h": 8}}
    assert overlap(there, {"gridPos": {"x": 7, "y": 7, "w": 8, "h": 8}})
    assert not overlap(there, {"gridPos": {"x": 8, "y": 0, "w": 8, "h": 8}})
    (asked,) = selectors('rate(echo_mesages_total{instance=~".*"}[5m])')
    assert asked == Selector("echo_mesages_total", {"instance": ("=~", ".*")})
    assert [*complaints(asked, {})] == ["no metric echo_mesages_total"]
