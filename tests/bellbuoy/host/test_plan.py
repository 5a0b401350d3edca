"""The plan: how many workers, and how long a stop may take."""

import io
import os
import socket

import pytest

from bellbuoy import timeouts
from bellbuoy.host import plan
from bellbuoy.host.plan import Plan, traffic_workers, usable_cpus
from bellbuoy.scoreboard import Scoreboard
from bellbuoy.settings import HostSettings
from tests.bellbuoy.host.services import Silence


def limit(monkeypatch: pytest.MonkeyPatch, cpus: int, quota: str | None) -> None:
    """Have the machine give us ``cpus``, and the cgroup this ``cpu.max``."""

    def cpu_max(_: str) -> io.StringIO:
        if quota is None:
            raise FileNotFoundError
        return io.StringIO(quota)

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cpus)))
    monkeypatch.setattr(plan, "open", cpu_max, raising=False)


def test_as_many_workers_as_set() -> None:
    """More than the CPUs, if that is what is asked for."""
    assert traffic_workers(HostSettings(workers=17)) == 17


def test_a_worker_for_each_cpu_we_may_use_unless_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """0 is the default."""
    limit(monkeypatch, 6, None)
    assert traffic_workers(HostSettings()) == 6


@pytest.mark.parametrize(
    "quota, expected",
    [
        (None, 8),  # no cgroup v2
        ("max 100000\n", 8),
        ("50000 100000\n", 1),
        ("100000 100000\n", 1),
        ("150000 100000\n", 2),
        ("400000 100000\n", 4),
        ("1600000 100000\n", 8),
        ("nonsense\n", 8),
    ],
)
def test_usable_cpus_are_what_affinity_and_cgroup_allow(
    monkeypatch: pytest.MonkeyPatch, quota: str | None, expected: int
) -> None:
    """A container on a large machine must not fork a worker for each of its CPUs."""
    limit(monkeypatch, 8, quota)
    assert usable_cpus() == expected


def test_the_supervisor_outwaits_delay_and_drain() -> None:
    """And grace, and close."""
    settings = HostSettings(drain_delay_seconds=10.0, drain_timeout_seconds=20.0)
    board = Scoreboard((), 3)
    with socket.socket() as listener, socket.socket() as admin_listener:
        a_plan = Plan(Silence(), Silence(), settings, listener, admin_listener, board)
    assert a_plan.stop_timeout > 10.0 + timeouts.GRACE + 20.0 + timeouts.CLOSE


def test_this_machine_gives_at_least_one_cpu() -> None:
    """Read from the real places."""
    assert 1 <= usable_cpus() <= len(os.sched_getaffinity(0))
