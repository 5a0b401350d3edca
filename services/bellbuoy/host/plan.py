"""The plan: what one supervisor runs, decided before the first fork."""

import os
import socket
from dataclasses import dataclass

from bellbuoy import timeouts
from bellbuoy.host.service import Service
from bellbuoy.scoreboard import Scoreboard
from bellbuoy.settings import HostSettings


@dataclass(frozen=True)
class Plan:
    """What the supervisor and every process it forks know of each other.

    Args:
        service: What the traffic workers serve.
        admin: What the admin process serves.
        settings: The host's settings.
        listener: Where clients connect.
        admin_listener: Where operators, probes and Prometheus connect.
        board: The scoreboard they share.
    """

    service: Service
    admin: Service
    settings: HostSettings
    listener: socket.socket
    admin_listener: socket.socket
    board: Scoreboard

    @property
    def stop_timeout(self) -> float:
        """Seconds the supervisor waits for its workers to drain before it kills them."""
        settings = self.settings
        return timeouts.supervisor(settings.drain_delay_seconds, settings.drain_timeout_seconds)


def traffic_workers(settings: HostSettings) -> int:
    """Return how many traffic workers to run: as set, or one for each CPU we may use."""
    return settings.workers or usable_cpus()


def usable_cpus() -> int:
    """Return the CPUs this process may use: its affinity, and its cgroup's quota rounded up."""
    allowed = len(os.sched_getaffinity(0))
    quota = _cgroup_quota()
    return min(allowed, max(1, -int(-quota // 1))) if quota else allowed


def _cgroup_quota() -> float | None:
    try:
        with open("/sys/fs/cgroup/cpu.max") as file:  # noqa: PTH123 - a kernel file
            quota, period = file.read().split()
        return int(quota) / int(period)
    except (OSError, ValueError):  # no cgroup v2 here, or "max"
        return None
