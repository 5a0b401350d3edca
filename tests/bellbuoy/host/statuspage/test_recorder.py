"""The recorder: one snapshot a tick, compared with those before."""

import json
from typing import Any

import pytest

from bellbuoy.host.families import DEATHS
from bellbuoy.host.statuspage.history import SAMPLES
from bellbuoy.host.statuspage.recorder import WINDOW, Recorder
from bellbuoy.snapshot import take
from tests.bellbuoy.host.statuspage.stage import Stage
from tests.bellbuoy.host.test_exposition_bounds import calls


class Watched:
    """A stage under a recorder, whose clock moves a second with each tick."""

    def __init__(self) -> None:
        """Begin at 0."""
        self.now = 0.0
        self.stage = Stage()
        self.recorder = Recorder(
            "test", lambda: take(self.stage.board), lambda: self.now, lambda: 1e9 + self.now
        )

    def tick(self) -> dict[str, Any]:
        """Let a second go by."""
        self.now += 1.0
        self.stage.interval()
        told: dict[str, Any] = json.loads(self.recorder.tick())
        return told


def test_what_happened_shows_at_the_next_tick_and_for_a_window() -> None:
    """A death, which leaves nothing but a count."""
    watched = Watched()
    assert watched.tick()["level"] is None
    watched.stage.own.counter(DEATHS, how="signal").inc()
    levels = [watched.tick()["level"] for _ in range(WINDOW + 1)]
    assert levels == ["warn"] * WINDOW + [None]
    incident = watched.recorder.history.incidents[0]
    assert (incident.began, incident.ended) == (1e9 + 2, 1e9 + 2 + WINDOW)


def test_the_past_holds_what_was_ticked() -> None:
    """For whoever opens the page now."""
    watched = Watched()
    told = [watched.tick() for _ in range(3)]
    past = json.loads(watched.recorder.past())
    assert past["at"] == [each["at"] for each in told]
    assert past["service"] == "test"


@pytest.mark.slow
def test_a_second_costs_later_what_it_cost_at_first() -> None:
    """Once the history is full; it is the admin process that answers scrapes, too."""
    watched = Watched()
    for _ in range(SAMPLES + 1):
        watched.tick()
    cost, told = calls(watched.recorder.tick), len(watched.recorder.past())
    for _ in range(SAMPLES):
        watched.tick()
    assert calls(watched.recorder.tick) <= cost * 1.1
    assert len(watched.recorder.past()) <= told * 1.1


def test_what_nobody_was_told_is_remembered_all_the_same() -> None:
    """The words are made for readers only; the past is for those who come later."""
    watched = Watched()
    watched.stage.own.counter(DEATHS, how="signal").inc()
    watched.now += 1.0
    watched.stage.interval()
    watched.recorder.record()
    assert json.loads(watched.recorder.past())["at"] == [1e9 + 1]
    assert watched.recorder.history.incidents[0].began == 1e9 + 1
    assert watched.tick()["level"] == "warn"


def test_a_machine_that_slept_divides_by_no_zero() -> None:
    """Two ticks at the same time."""
    watched = Watched()
    watched.now -= 1.0
    assert watched.tick()["level"] is None
