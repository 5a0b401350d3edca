"""The budget of database connections: whether PostgreSQL has one for everybody who may want one.

Law of this file: the worst moment counts. That is a rollout at full scale, when the new instances
are there and the old ones have not ended; a budget that holds on a quiet day is none.
"""

from dataclasses import dataclass
from math import ceil

PROBE = 1
"""Connections of a worker beside its pool, to see whether PostgreSQL is back."""

PEOPLE = 3
"""Connections for people and their tools; who mends a full database must get in."""

METRICS = 5
"""Connections of the role bellbuoy_metrics at most (deploy/postgres/roles.sql)."""

RESERVED = 3
"""PostgreSQL's default of superuser_reserved_connections; that of reserved_connections is 0."""

MAX_CONNECTIONS = 100
"""PostgreSQL's default."""


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """Something that scales and opens connections.

    Args:
        name: Its name.
        replicas: Instances at most, surge left out.
        surge: Instances more while a new release rolls out.
        leaving: Instances told to stop that have not ended; an orchestrator does not count them.
        workers: Traffic workers of an instance.
        pool_size: Connections in a worker's pool at most.
    """

    name: str
    replicas: int
    surge: int
    leaving: int
    workers: int
    pool_size: int

    @property
    def instances(self) -> int:
        """Instances alive at the worst moment."""
        return self.replicas + self.surge + self.leaving

    @property
    def connections(self) -> int:
        """Connections they open at most."""
        return self.instances * self.workers * (self.pool_size + PROBE)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Who may connect, and how many can.

    Args:
        tenants: What scales.
        jobs: One-shot jobs that may run meanwhile, a connection each.
        max_connections: PostgreSQL's setting.
        reserved: Of these, kept for superusers.
    """

    tenants: tuple[Tenant, ...]
    jobs: int
    max_connections: int = MAX_CONNECTIONS
    reserved: int = RESERVED

    @property
    def needed(self) -> int:
        """Connections that may be wanted at once."""
        return sum(tenant.connections for tenant in self.tenants) + self._others

    @property
    def available(self) -> int:
        """Connections that ordinary roles get."""
        return self.max_connections - self.reserved

    @property
    def holds(self) -> bool:
        """Whether everybody gets one."""
        return self.needed <= self.available

    def report(self) -> str:
        """Return the arithmetic, a line for each term, and the verdict."""
        lines = [*map(_tenant, self.tenants)]
        lines.append(_line(f"jobs {self.jobs}, metrics {METRICS}, people {PEOPLE}", self._others))
        lines.append(_line("needed at the worst moment", self.needed))
        limits = f"PostgreSQL: max_connections {self.max_connections}, reserved {self.reserved}"
        lines.append(_line(limits, self.available))
        spare = self.available - self.needed
        verdict = f"It holds, with {spare} to spare." if self.holds else _advice(-spare)
        return "\n".join([*lines, verdict])

    @property
    def _others(self) -> int:
        return self.jobs + METRICS + PEOPLE


def leaving(replicas: int, surge: int, grace: float, pace: float) -> int:
    """Return how many instances may be leaving at once while a release rolls out.

    One is told to stop whenever a new one is ready, and may take all of its grace.

    Args:
        replicas: Instances; no more can leave.
        surge: New ones at a time.
        grace: Seconds an instance may take to end.
        pace: Seconds until a new instance counts as ready, at least.
    """
    return min(replicas, ceil(grace / max(pace, 1.0)) * max(surge, 1))


def _tenant(tenant: Tenant) -> str:
    return _line(
        f"{tenant.name}: ({tenant.replicas} replicas + {tenant.surge} surge + {tenant.leaving} "
        f"leaving) x {tenant.workers} workers x ({tenant.pool_size} pool + {PROBE} probe)",
        tenant.connections,
    )


def _line(term: str, connections: int) -> str:
    return f"{connections:>6}  {term}"


def _advice(missing: int) -> str:
    return (
        f"It does not hold: {missing} too many. Raise max_connections, or lower the replicas, the "
        "workers or BUOY_DB_POOL_SIZE."
    )
