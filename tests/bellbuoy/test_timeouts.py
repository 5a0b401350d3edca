"""Every deadline ends before the one around it."""

from bellbuoy import timeouts
from bellbuoy.settings import HostSettings


def test_the_deadlines_of_a_request_nest() -> None:
    """Whoever gives up first is the one who knows most about what went wrong."""
    chain = [timeouts.STATEMENT, timeouts.COMMAND, timeouts.REQUEST, timeouts.DRAIN]
    assert chain == sorted(set(chain))


def test_who_sends_slowly_is_told_before_the_request_ends() -> None:
    """408 says more than 503."""
    assert max(timeouts.HEAD, timeouts.BODY) + 1 < timeouts.REQUEST


def test_a_write_has_its_answer_before_its_request_ends() -> None:
    """Even if every step takes all its time, where neither the body nor a key was waited for."""
    opening = timeouts.TURN + timeouts.ACQUIRE + timeouts.CONNECT
    assert timeouts.COMMAND < timeouts.TRANSACTION
    assert opening + timeouts.TRANSACTION + timeouts.COMMAND < timeouts.REQUEST


def test_a_refused_connection_is_told_within_two_seconds() -> None:
    """Connecting and waiting for a free connection are each shorter than that."""
    assert max(timeouts.CONNECT, timeouts.ACQUIRE) < 2.0


def test_the_supervisor_outlasts_its_workers_in_kubernetes() -> None:
    """Forty seconds with Kubernetes' delay, and the container stops after that."""
    supervisor = timeouts.supervisor(timeouts.DRAIN_DELAY, timeouts.DRAIN)
    assert supervisor == 40.0
    assert supervisor < timeouts.CONTAINER_STOP == 60.0


def test_the_supervisor_waits_longer_than_the_steps_of_a_drain() -> None:
    """Whatever delay and drain are set to, the workers end by themselves."""
    for delay, drain in [(0.0, 0.1), (0.0, timeouts.DRAIN), (60.0, 600.0)]:
        steps = delay + timeouts.GRACE + drain + timeouts.CLOSE
        assert steps < timeouts.supervisor(delay, drain)


def test_what_happens_within_a_drain_is_shorter_than_a_drain() -> None:
    """A request finishes; a lingering client and a second signal end sooner."""
    assert max(timeouts.REQUEST, timeouts.LINGER, timeouts.HURRY) < timeouts.DRAIN


def test_the_default_drain_is_the_one_the_deadlines_nest_in() -> None:
    """The setting's default and the constant are one value."""
    assert HostSettings().drain_timeout_seconds == timeouts.DRAIN
