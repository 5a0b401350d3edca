"""The summary: what is well, and how much is going on."""

import math

from bellbuoy.host.statuspage.summary import calm, count, figure, load
from bellbuoy.host.web.telemetry import DURATION
from echo.families import FAMILIES as ECHO
from echo.families import MESSAGES
from tests.bellbuoy.host.statuspage.stage import Stage
from tests.bellbuoy.host.statuspage.test_verdict import answer, api


def test_what_is_well_is_told_in_a_sentence() -> None:
    """PostgreSQL only where there is one that answered."""
    assert calm(api().interval()) == "2 workers are ready, PostgreSQL answers."
    assert calm(api(up=math.nan).interval()) == "2 workers are ready."
    assert calm(Stage(workers=1).interval()) == "1 worker is ready."


def test_a_number_agrees_with_what_it_counts() -> None:
    """And has its thousands apart."""
    assert [count(number, "worker") for number in (0, 1, 1200)] == [
        "0 workers",
        "1 worker",
        "1,200 workers",
    ]


def test_a_rate_below_one_is_not_told_as_none() -> None:
    """And one above has its thousands apart."""
    assert [figure(rate) for rate in (0.2, 1.0, 1200.4)] == ["Fewer than 1", "1", "1,200"]


def test_the_load_is_told_in_the_terms_of_the_service() -> None:
    """Requests, messages, connections."""
    stage = api()
    answer(stage, "/", "200", count=1500)
    stage.counts[0].histogram(DURATION, method="GET", route="/").observe(0.001)
    text = load(stage.interval())
    assert text == "1,500 requests a second, 99 % of them answered within 5 ms."
    assert load(api().interval()) == "0 requests a second."
    stage = Stage(ECHO)
    stage.counts[0].counter(MESSAGES).inc(70)
    assert load(stage.interval()) == "70 messages a second."
    assert load(Stage().interval()) == "0 connections open."
