"""A real Prometheus scrapes both services and has loaded every rule; the dashboards find data."""

import json
import urllib.parse
import urllib.request
from typing import Any

import pytest

from tests.repository.catalogue import exported
from tests.repository.dashboards import Board, boards
from tests.repository.promql import selectors
from tests.repository.rules import rules
from tests.stack.stack import Stack, wait_until


def ask(stack: Stack, path: str, **arguments: str) -> Any:
    """Return what Prometheus answers."""
    port = stack.environ["PROMETHEUS_PORT"]
    url = f"http://127.0.0.1:{port}/api/v1/{path}?" + urllib.parse.urlencode(arguments)
    with urllib.request.urlopen(url, timeout=5) as response:
        return json.load(response)["data"]


def query(stack: Stack, expression: str) -> dict[str, float]:
    """Return the value of an instant query for each job."""
    result = ask(stack, "query", query=expression)["result"]
    return {one["metric"].get("job", ""): float(one["value"][1]) for one in result}


@pytest.fixture
def scraped(stack: Stack) -> Stack:
    """The stack, once Prometheus has seen both services."""
    wait_until(lambda: query(stack, "up == 1").keys() >= {"echo", "api"}, seconds=40)
    return stack


@pytest.mark.parametrize("job", ["echo", "api"])
def test_both_services_are_up(scraped: Stack, job: str) -> None:
    """The last scrape succeeded."""
    assert query(scraped, "up")[job] == 1


def test_every_rule_is_loaded_and_can_be_evaluated(scraped: Stack) -> None:
    """By the version in the image; the rules are found where the folder is mounted."""

    def states() -> list[str]:
        groups = ask(scraped, "rules")["groups"]
        return [rule["health"] for group in groups for rule in group["rules"]]

    wait_until(lambda: "unknown" not in states(), seconds=40)
    assert states() == ["ok"] * len(rules())


@pytest.mark.parametrize(
    "family",
    [
        "asyncmonitor_task_started_total",
        "asyncmonitor_task_finished_total",
        "asyncmonitor_tasks_in_progress",
        "asyncmonitor_task_duration_seconds_count",
    ],
)
def test_the_families_of_the_asyncmonitor_are_there(scraped: Stack, family: str) -> None:
    """For each service, with something counted in the api, which watches its database."""
    assert query(scraped, f"count by (job) ({family})").keys() == {"echo", "api"}
    assert query(scraped, "sum by (job) (asyncmonitor_task_started_total)")["api"] > 0


@pytest.mark.parametrize("board", boards(), ids=lambda board: board.stem)
def test_every_panel_has_data(scraped: Stack, board: Board) -> None:
    """Each asks for what is there; what may be absent in health is said with `or vector(0)`."""
    intervals = {"$__rate_interval": "1m", "$__range": "1h"}
    asked = {
        selector.metric
        for _, expression in board.queries()
        if "vector(0)" not in expression
        for selector in selectors(board.substituted(expression, intervals))
        if selector.metric in exported()
    }
    assert asked
    assert {name for name in asked if not query(scraped, f"count({name})")} == set()
