"""A blocked event loop is seen: its lag in the metrics, what blocks it in the log."""

import http.client
import json
import threading

import pytest

from bellbuoy.host.worker import COLLECTION
from tests.integration.visiting import ask
from tests.program import Program, loop, running
from tests.waiting import eventually

__all__ = ["loop"]

pytestmark = pytest.mark.slow


def test_what_blocks_a_loop_is_logged_once_while_it_does(loop: str) -> None:
    """The stack names the line; the second blockage is another incident."""
    with running("web", {"BUOY_LOOP": loop, "BUOY_LOOP_BLOCKED_SECONDS": "0.3"}) as program:
        program.await_workers(1)
        blocking = threading.Thread(target=ask, args=(program.address, "/block?seconds=2"))
        blocking.start()
        event = program.event("event loop blocked")
        assert "time.sleep" in event["stack"]
        assert event["worker"] >= 0
        blocking.join()
        over = program.event("event loop was blocked")
        assert over["seconds"] > 1
        assert program.events.index(event) < program.events.index(over), "told only afterwards"
        assert stacks(program) == 1
        ask(program.address, "/block?seconds=1")
        eventually(lambda: stacks(program) == 2)
        eventually(lambda: program.metrics().value("asyncio_loop_blocked_total") >= 2)


def test_a_block_just_over_the_threshold_is_logged_each_time(loop: str) -> None:
    """It need not be long to be seen."""
    with running("web", {"BUOY_LOOP": loop, "BUOY_LOOP_BLOCKED_SECONDS": "0.5"}) as program:
        program.await_workers(1)
        for _ in range(5):
            ask(program.address, "/block?seconds=0.65")
        eventually(lambda: stacks(program) == 5)


def stacks(program: Program) -> int:
    """Return how often a blocking line was told; a slow machine stalls elsewhere, too."""
    events = program.logged("event loop blocked")
    return sum("time.sleep" in event["stack"] for event in events)


def test_lag_is_measured_when_nothing_happens(loop: str) -> None:
    """About ten times a second in each worker; tasks and collections are told, too."""
    with running("web", {"BUOY_LOOP": loop, "BUOY_WORKERS": "2"}) as program:
        program.await_workers(2)
        eventually(lambda: program.metrics().value("asyncio_loop_lag_seconds_count") >= 10)
        metrics = program.metrics()
        assert metrics.value("asyncio_loop_info", implementation=loop) == 1
        assert metrics.value("asyncio_tasks") >= 2
        collecting = {
            dict(labels)["process"]
            for (name, labels), value in metrics.items()
            if name == "python_gc_collections_total" and value > 0
        }
        assert collecting == {
            "supervisor",
            "admin",
            *(f"worker-{event['worker']}" for event in program.logged("serving", admin=False)),
        }


def test_the_collector_is_left_in_peace(loop: str) -> None:
    """It looks at nothing that the supervisor made, and not at each handful of requests."""
    with running("web", {"BUOY_LOOP": loop}) as program:
        program.await_workers(1)
        connection = http.client.HTTPConnection(*program.address, timeout=20)
        connection.request("GET", "/collector")
        frozen, *threshold = json.load(connection.getresponse())
        connection.close()
    assert frozen > 10_000
    assert tuple(threshold) == COLLECTION
