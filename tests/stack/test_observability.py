"""A real Prometheus scrapes both services, and the dashboards ask for what there is."""

import json
import re
import urllib.parse
import urllib.request

import pytest

from tests.stack.stack import ROOT, Stack, wait_until

DASHBOARDS = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))


def query(stack: Stack, expression: str) -> dict[str, float]:
    """Return the value of an instant query for each job."""
    port = stack.environ["PROMETHEUS_PORT"]
    url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    with urllib.request.urlopen(url, timeout=5) as response:
        result = json.load(response)["data"]["result"]
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


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_panel_has_data(scraped: Stack, path: object) -> None:
    """No dashboard asks for a metric that nobody exports."""
    metric = re.compile(r"\b(?:bellbuoy|asyncmonitor|http|db|echo|process)_[a-z_]+\b")
    asked = set(metric.findall(str(json.loads(path.read_text()))))  # type: ignore[attr-defined]
    assert asked
    assert {name for name in asked if not query(scraped, f"count({name})")} == set()
