"""Every panel of every dashboard, asked of a real Prometheus that scrapes the stack at work."""

import json
import math
import re
from collections.abc import Iterator

import pytest

from tests.integration.visiting import Address, address, ask, knock, repeating, visited
from tests.onebox.running import Onebox, onebox
from tests.program import running
from tests.prometheus import LATE, Prometheus, prometheus
from tests.repository.catalogue import exported
from tests.repository.dashboards import Board, boards
from tests.waiting import PATIENCE, eventually

pytestmark = [pytest.mark.slow]

# What Grafana would put there; minutes are seconds here, and a window holds several scrapes.
INTERVALS = {"$__rate_interval": "5s", "$__range": "30s"}


FALLBACK = re.compile(r"( > 0)? or vector\(0\)")
"""What shows zero where there is nothing that ought not to be."""


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Onebox]:
    """Both services."""
    folder = tmp_path_factory.mktemp("box")
    with onebox(folder / "data", folder / "out") as box:
        box.await_ready()
        yield box


@pytest.fixture(scope="module")
def scraped(box: Onebox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that has seen both services at work."""
    echo = address(box, "echo")
    with (
        prometheus(tmp_path_factory.mktemp("prometheus") / "here", targets(box)) as server,
        visited(box, 2),
        repeating(lambda: knock(echo)),
    ):
        eventually(lambda: len(server.query("slo:period_error_budget_remaining:ratio")) == 3)
        yield server


def targets(box: Onebox, *apis: Address) -> dict[str, list[Address]]:
    """Return what is scraped: both services, and more that are taken for the api."""
    return {"echo": [address(box, "echo admin")], "api": [address(box, "api admin"), *apis]}


def has_data(server: Prometheus, expression: str) -> bool:
    """Return whether a query has a sample that is a number."""
    return any(not math.isnan(float(each["value"][1])) for each in server.query(expression))


def assert_data(server: Prometheus, queries: list[str]) -> None:
    """Assert that each of these queries soon has data."""

    def empty() -> list[str]:
        return [query for query in queries if not has_data(server, query)]

    try:
        eventually(lambda: not empty(), PATIENCE)
    except AssertionError:
        assert empty() == []


@pytest.mark.parametrize("board", boards(), ids=lambda board: board.stem)
def test_every_panel_has_data(scraped: Prometheus, board: Board) -> None:
    """With everything chosen in its variables; a panel of what ought not to be shows zero."""
    queries = [board.substituted(query, INTERVALS) for _, query in board.queries()]
    assert queries
    assert_data(scraped, queries)


@pytest.mark.parametrize("board", boards(), ids=lambda board: board.stem)
def test_every_variable_has_values(scraped: Prometheus, board: Board) -> None:
    """The series that a variable takes its values from have the label."""
    for name, (series, label) in board.variables().items():
        found = scraped.query(board.substituted(series, INTERVALS))
        assert {each["metric"].get(label) for each in found} - {None, ""}, name


def test_a_panel_without_data_is_noticed(scraped: Prometheus) -> None:
    """Neither nothing nor a division of nothing by nothing is data."""
    assert has_data(scraped, "vector(0)")
    assert not has_data(scraped, "no_such_metric")
    assert not has_data(scraped, "vector(0) / vector(0)")


def test_nothing_fires_while_all_is_well(scraped: Prometheus) -> None:
    """And every rule can be evaluated."""
    assert scraped.failures() == []
    assert scraped.firing() - LATE == set()
    assert json.dumps(scraped.query("up == 1")) != "[]"
    assert re.fullmatch(r"[\d.]+", scraped.query("slo:objective:ratio")[0]["value"][1])


def test_the_catalogue_that_rules_are_held_to_is_what_is_scraped(scraped: Prometheus) -> None:
    """No metric of ours is unknown to it."""
    found = scraped.query('count by (__name__) ({job=~"echo|api", __name__!~"scrape_.+"})')
    assert {each["metric"]["__name__"] for each in found} - exported().keys() == set()


def test_a_panel_that_shows_zero_in_health_has_data_of_its_own_in_a_fault(
    scraped: Prometheus, box: Onebox
) -> None:
    """Behind its zero a misspelt name would be seen by nobody.

    The last of this file: what it sets off takes half a minute to be over.
    """
    queries = [
        FALLBACK.sub("", board.substituted(query, INTERVALS))
        for board in boards()
        for _, query in board.queries()
        if FALLBACK.search(query)
    ]
    assert queries
    assert "vector" not in str(queries)
    crash = ("request failed", "on purpose")
    with (
        running("web", complaints=crash) as web,
        repeating(lambda: ask(web.address, "/fail")),
    ):
        scraped.retarget(targets(box, web.admin_address))
        assert_data(scraped, queries)
