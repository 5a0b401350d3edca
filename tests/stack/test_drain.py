"""Services are stopped and replaced, and the database restarted, while clients are served."""

import time

import pytest

from tests.stack.stack import Stack, docker, events, inspect, wait_until

KINDS = {"echo": "echo", "api": "greeting"}
RECOVERY = 5.0
"""Seconds after which users are served again, once the database is."""


@pytest.mark.parametrize("service", KINDS)
def test_a_stop_under_traffic_loses_nothing(stack: Stack, service: str) -> None:
    """Who was connected gets every answer that was due, then a clean end; the service exits 0."""
    container = stack.container(service)
    with stack.traffic(KINDS[service]) as account:
        started = time.monotonic()
        docker("stop", "--time", "60", container)
        took = time.monotonic() - started
        state = inspect(container)["State"]
        docker("start", container)
    assert state["ExitCode"] == 0
    assert took < 20, "clients that leave when they are told do not hold up a drain"
    assert account.kinds == {"refused"}, "only while nobody was there"
    assert account.ok > 100


@pytest.mark.parametrize("service", KINDS)
def test_a_replacement_under_traffic_loses_nothing(stack: Stack, service: str) -> None:
    """A new container takes over; whoever comes in between is refused, not kept waiting."""
    before, since = stack.container(service), time.time()
    with stack.traffic(KINDS[service]) as account:
        stack.compose("up", "--detach", "--no-deps", "--force-recreate", "--wait", service)
        back = time.time()
    assert stack.container(service) != before
    assert events(service, "die", ".Actor.Attributes.exitCode", since) == ["0"]
    assert account.kinds <= {"refused"}
    assert account.last() < back, "from then on everybody is served"
    assert account.ok > 100


def test_a_restart_of_the_database_under_traffic(stack: Stack) -> None:
    """Greetings never fail; users get 503 for a moment and are served soon after it is back."""
    with stack.traffic("greeting") as greetings, stack.traffic("users") as users:
        stack.compose("restart", "postgres")
        wait_until(lambda: is_accepting(stack), seconds=30)
        back = time.time()
        time.sleep(RECOVERY + 1)
    assert (greetings.events, greetings.ok > 100) == ([], True)
    assert users.kinds == {"503"}
    assert users.last() < back + RECOVERY
    assert users.ok > 100


def is_accepting(stack: Stack) -> bool:
    """Return whether PostgreSQL accepts connections over the network."""
    answer = stack.exec("postgres", "pg_isready --host=127.0.0.1 || true")
    return "accepting connections" in answer
