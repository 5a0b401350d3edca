"""The verdict: each thing that can be wrong, in the words a person reads at night."""

import math
import time

import pytest

from bellbuoy.database.measures import ACQUIRE_TIMEOUTS, UP
from bellbuoy.host.families import ACCEPT_PAUSES, DEATHS, REJECTED
from bellbuoy.host.statuspage.verdict import judge
from bellbuoy.host.web.telemetry import REASONS, REQUESTS
from bellbuoy.host.web.telemetry import REJECTED as REJECTED_REQUESTS
from bellbuoy.lifecycle import State
from tests.bellbuoy.host.statuspage.stage import DATABASE, HTTP, Stage


def api(*, up: float = 1.0) -> Stage:
    """Return an api whose workers know PostgreSQL to be up or not."""
    stage = Stage((*HTTP, *DATABASE))
    for each in stage.counts:
        each.gauge(UP).set(up)
    return stage


def answer(stage: Stage, route: str, status: str, count: int = 1) -> None:
    """Count answers."""
    stage.counts[0].counter(REQUESTS, method="GET", route=route, status=status).inc(count)


def words(stage: Stage) -> list[tuple[str, str]]:
    """Return level and words of each finding."""
    return [(finding.level, finding.what) for finding in judge(stage.interval())]


def test_where_nothing_is_wrong_it_is_silent() -> None:
    """Of any service."""
    assert words(api()) == words(Stage()) == []


def test_a_container_that_an_operator_withdrew_is_not_well() -> None:
    """The probe fails, so the page says why, and how it ends; a stop tells more."""
    stage = Stage()
    stage.board.commands.withdrawn = True
    (finding,) = judge(stage.interval())
    assert (finding.level, finding.what.split(":")[0]) == ("warn", "Withdrawn")
    assert "/readyz answers 503" in finding.meaning
    assert "PUT /readiness" in finding.look
    stage.board.stopping = True
    assert [finding.key for finding in judge(stage.interval())] == ["draining"]


def test_an_outage_says_what_fails_what_works_and_that_it_heals() -> None:
    """By the routes that were asked."""
    stage = api(up=0.0)
    for route, status in (("/users", "503"), ("/users/{id}", "503"), ("/{name}", "200")):
        answer(stage, route, status)
    (finding,) = judge(stage.interval())
    assert (finding.level, finding.what) == ("bad", "PostgreSQL does not answer")
    assert finding.meaning == "/users and /users/{id} answer 503; /{name} works."
    assert "heals by itself" in finding.look


def test_an_outage_that_nobody_asks_through_is_one_too() -> None:
    """There are no routes to name."""
    (finding,) = judge(api(up=0.0).interval())
    assert "answers 503 at once; everything else goes on" in finding.meaning


def test_one_worker_that_meets_an_outage_is_enough() -> None:
    """The other may not have noticed yet."""
    stage = api()
    stage.counts[1].gauge(UP).set(0.0)
    assert words(stage) == [("bad", "PostgreSQL does not answer")]


def test_a_worker_that_has_not_asked_yet_says_nothing_of_postgresql() -> None:
    """That nobody knows is no outage."""
    assert words(api(up=math.nan)) == []


def test_a_service_that_starts_says_what_it_waits_for() -> None:
    """For PostgreSQL, for a schema, or for a moment."""
    for age, up, expected in (
        (0.5, 0.0, ("note", "Starting: no worker is ready yet")),
        (9.0, 0.0, ("bad", "No worker is ready: PostgreSQL does not answer")),
        (9.0, 1.0, ("bad", "No worker is ready: waiting for a schema that fits")),
        (9.0, math.nan, ("warn", "Starting: no worker is ready yet")),
    ):
        stage = api(up=up)
        for slot in stage.workers:
            slot._state = float(State.STARTING)
            slot.born = time.time() - age
        assert words(stage) == [expected]


def test_a_service_without_a_worker_is_down() -> None:
    """All of them die as they start."""
    stage = Stage()
    for slot in stage.workers:
        slot._state = float(State.FREE)
    assert words(stage) == [("bad", "No worker is there")]


def test_a_blocked_worker_is_named_and_since_when() -> None:
    """The other one serves."""
    stage = Stage()
    stage.first.beat = time.monotonic() - 3
    stage.first.connections = 7.0
    (finding,) = judge(stage.interval())
    assert finding.level == "warn"
    assert finding.what.startswith(f"Worker {stage.first.index} is blocked")
    assert finding.meaning == "7 connections wait there; 1 worker serves."
    assert finding.age == pytest.approx(3, abs=0.5)


def test_a_worker_that_is_about_to_serve_does_not_yet() -> None:
    """It may have begun a moment ago, or wait for a schema: nobody can count on it."""
    stage = Stage()
    stage.first.beat = time.monotonic() - 3
    stage.workers[1]._state = float(State.STARTING)
    (finding,) = judge(stage.interval())
    assert finding.level == "bad"
    assert finding.meaning == "0 connections wait there; no worker is ready to serve."


def test_all_blocked_is_worse() -> None:
    """Nobody is answered."""
    stage = Stage()
    for slot in stage.workers:
        slot.beat = time.monotonic() - 3
    (finding,) = judge(stage.interval())
    assert (finding.level, finding.meaning) == ("bad", "Nobody is answered.")


@pytest.mark.parametrize(
    "how, count, expected",
    [
        ("signal", 1, ("warn", "A worker died: killed by a signal")),
        ("exit", 2, ("warn", "2 workers died: gone by itself")),
        ("watchdog", 3, ("bad", "3 workers died: killed by the watchdog, because it was blocked")),
    ],
)
def test_a_death_is_told_and_many_are_a_trouble(
    how: str, count: int, expected: tuple[str, str]
) -> None:
    """By how it came."""
    stage = Stage()
    stage.own.counter(DEATHS, how=how).inc(count)
    assert words(stage) == [expected]


@pytest.mark.parametrize(
    "workers, ready, told",
    [
        (3, 2, "2 workers serve."),
        (2, 1, "1 worker serves."),
        (1, 0, "no worker is ready to serve."),
    ],
)
def test_what_a_death_left_is_told_as_it_is(workers: int, ready: int, told: str) -> None:
    """There may be no other worker, and the one that took its place may still begin."""
    stage = Stage(workers=workers)
    for slot in stage.workers[ready:]:
        slot._state = float(State.STARTING)
    stage.own.counter(DEATHS, how="signal").inc()
    stage.board.beat = time.monotonic() - 20
    found = {finding.key: finding.meaning for finding in judge(stage.interval())}
    assert found["deaths"].endswith(f"counted as lost; {told}")
    assert found["supervisor"].endswith(f"replaced; {told}")


def test_a_drain_is_told_and_hides_what_belongs_to_it() -> None:
    """No worker is ready then, and that is meant so."""
    stage = api(up=0.0)
    stage.board.stopping = 1.0
    for slot in stage.workers:
        slot.step(State.DRAINING)
        slot.connections = 2.0
    (finding,) = judge(stage.interval())
    assert finding.what == "Draining: the service was told to stop"
    assert finding.meaning.startswith("4 connections left.")


def test_a_supervisor_that_is_gone_is_missed() -> None:
    """Nobody replaces workers then."""
    stage = Stage()
    stage.board.beat = time.monotonic() - 20
    assert words(stage) == [("bad", "The supervisor shows no sign of life")]


def test_what_is_refused_is_told_with_its_rate() -> None:
    """Connections above the cap, descriptors, statements without a connection."""
    stage = api()
    stage.counts[0].counter(REJECTED, reason="limit").inc(1200)
    stage.counts[0].counter(ACCEPT_PAUSES).inc()
    stage.counts[0].counter(ACQUIRE_TIMEOUTS).inc(3)
    found = judge(stage.interval())
    assert [finding.what for finding in found] == [
        "Full: new connections are refused",
        "The machine is out of file descriptors or memory",
        "The database pool is exhausted",
    ]
    assert found[0].meaning.startswith("1,200 clients a second")


def test_overload_is_ours_and_haste_is_the_clients() -> None:
    """Who is slow or silent is nobody's trouble."""
    stage = api()
    for reason in REASONS:
        stage.counts[0].counter(REJECTED_REQUESTS, reason=reason).inc(4)
    found = judge(stage.interval())
    assert [(each.level, each.what) for each in found] == [
        ("bad", "Overload: requests are refused"),
        ("note", "Some clients come too often"),
    ]
    assert found[0].meaning.startswith("8 requests a second")


def test_a_client_that_is_refused_for_its_own_sake_is_no_trouble_of_ours() -> None:
    """A bad handshake, a missing PROXY header, a reset."""
    stage = Stage()
    for reason in ("peer_limit", "proxy", "tls", "reset"):
        stage.counts[0].counter(REJECTED, reason=reason).inc()
    assert words(stage) == []


def test_no_word_changes_from_second_to_second() -> None:
    """A screen reader speaks of every change of a headline."""
    stages = [api(), api()]
    for stage, count in zip(stages, (5, 500), strict=True):
        stage.counts[0].counter(REJECTED, reason="limit").inc(count)
        stage.board.stopping = 1.0
        stage.first.connections = count
    assert words(stages[0]) == words(stages[1])
