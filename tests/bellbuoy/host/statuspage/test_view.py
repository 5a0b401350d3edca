"""The view: JSON that a browser can read, whatever the service."""

import json

from bellbuoy.database.measures import UP
from bellbuoy.host.statuspage.charts import charts, values
from bellbuoy.host.statuspage.history import History
from bellbuoy.host.statuspage.interval import Interval
from bellbuoy.host.statuspage.tables import rates
from bellbuoy.host.statuspage.verdict import judge
from bellbuoy.host.statuspage.view import moment, past
from tests.bellbuoy.host.statuspage.stage import DATABASE, HTTP, Stage


def add(history: History, interval: Interval) -> None:
    """Note one moment."""
    shown = values(charts(interval), interval)
    history.add(interval.at, shown, rates(interval), judge(interval))


def test_a_moment_tells_all_that_the_page_shows() -> None:
    """An outage with its words, and a value for each line of each chart."""
    stage, history = Stage((*HTTP, *DATABASE)), History()
    stage.counts[0].gauge(UP).set(0.0)
    interval = stage.interval()
    add(history, interval)
    told = json.loads(moment(interval, charts(interval), history, lambda _: None))
    assert told["level"] == "bad"
    assert told["current"][0]["finding"]["what"] == "PostgreSQL does not answer"
    assert told["incidents"] == told["current"]
    assert told["values"].keys() == {chart.key for chart in charts(interval)}
    assert len(told["processes"]) == 3


def test_the_past_has_as_many_values_as_moments() -> None:
    """For each line of each chart, in columns."""
    stage, history = Stage(HTTP), History()
    interval = stage.interval()
    for _ in range(3):
        add(history, interval)
    told = json.loads(past("web", charts(interval), history))
    assert told["service"] == "web"
    assert len(told["at"]) == len(told["levels"]) == 3
    for chart in told["charts"]:
        assert [len(line) for line in told["values"][chart["key"]]] == [3] * len(chart["lines"])


def test_there_is_a_past_before_the_first_moment() -> None:
    """It is empty."""
    told = json.loads(past("web", (), History()))
    assert (told["at"], told["charts"], told["rates"]) == ([], [], {})
