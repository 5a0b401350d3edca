"""The program: the order in which everything starts, and ends.

Law of this file: what is cheap and can fail comes before what starts something; nothing waits
for what it does not need.
"""

import contextlib
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import structlog

from bellbuoy import timeouts
from bellbuoy.errors import EnvironmentFault
from bellbuoy.host.plan import traffic_workers
from onebox import (
    account,
    announcement,
    binaries,
    datadir,
    ports,
    postmaster,
    readiness,
    roles,
    runtime,
    secret,
)
from onebox.cluster import Cluster
from onebox.datadir import DataDirectory
from onebox.escalation import Step
from onebox.initdb import SUPERUSER
from onebox.installation import Installation
from onebox.interruption import StopRequest
from onebox.part import Part
from onebox.process import Command, complete, spawn
from onebox.serverlog import ServerLog
from onebox.services import Services
from onebox.settings import OneboxSettings
from onebox.supervisor import Supervisor
from onebox.waiting import TICK, wait_until

_POSTGRES_CONNECTIONS = 100  # PostgreSQL's own default: fewer would save nothing
# Of PostgreSQL's superusers 3, the jobs 2, a person's psql; and a killed worker's connections
# remain for a moment beside those of its successor.
_RESERVE = 20

_ABANDONED_SECONDS = 10.0  # a killed run's services see their parent gone and drain
_DATABASE_SECONDS = 120.0  # recovery after a kill reads back at most 1 GB of log
_JOB_SECONDS = 120.0
_READY_SECONDS = 60.0

# Fast shutdown, then immediate (recovery at the next start), then by force: no commit is lost.
_END_DATABASE = (
    Step(signal.SIGINT, 15.0),
    Step(signal.SIGQUIT, 5.0),
    Step(signal.SIGKILL, 5.0),
)
_DATABASE, _SERVICES = range(2)  # layers: the services end first


def run(settings: OneboxSettings, environ: Mapping[str, str], stop: StopRequest) -> NoReturn:
    """Run the stack until the operator asks for the end; everything is ended by then.

    Raises:
        Interrupted: The operator asked.
        EnvironmentFault: The machine has to change first, or a part kept dying.
    """
    with ExitStack() as stack:
        data = stack.enter_context(datadir.hold(settings.data_dir))
        patience = _ABANDONED_SECONDS if data.was_abandoned else 0.0
        settings = ports.claim(settings, patience=patience, watch=stop.check)
        supervisor = Supervisor(stop)
        cluster = _cluster(settings, data, supervisor, stack)
        services = Services(settings, environ, data, cluster.socket, cluster.port)
        stack.callback(supervisor.close)
        _start(settings, data, cluster, services, supervisor)
        _await_services(settings, supervisor)
        with contextlib.suppress(BrokenPipeError):  # nobody reads; the stack runs all the same
            sys.stdout.write(announcement.compose(settings, data, Path.cwd()))
            sys.stdout.flush()
        _stay(ServerLog(data.log), supervisor)


def _cluster(
    settings: OneboxSettings, data: DataDirectory, supervisor: Supervisor, stack: ExitStack
) -> Cluster:
    """Prepare everything about the database short of starting something."""
    found = binaries.locate(settings.postgres_bin)
    user = account.choose(data.cluster)
    postmaster.evict(data.cluster, supervisor.watch)
    place = stack.enter_context(runtime.make(data.path, user))
    password = data.password(SUPERUSER)
    if data.cluster.exists() and not password.exists():
        raise EnvironmentFault(
            f"{password}, the password of the database in {data.cluster}, is gone: put it back, "
            "or, if nothing in the database matters, remove that directory"
        )
    cluster = Cluster(
        data=data.cluster,
        installation=Installation(place.reachable(found, user), user),
        socket=place.socket,
        password=secret.keep(password),
        log=data.log,
        settings={"max_connections": str(_connections(settings))},
        watch=supervisor.watch,
    )
    if cluster.exists():
        cluster.require_major()
    return cluster


def _connections(settings: OneboxSettings) -> int:
    """Return how many connections all workers may open: each its pool, and one to probe with."""
    most = traffic_workers(settings) * (settings.db_pool_size + 1)
    return max(_POSTGRES_CONNECTIONS, most + _RESERVE)


def _start(
    settings: OneboxSettings,
    data: DataDirectory,
    cluster: Cluster,
    services: Services,
    supervisor: Supervisor,
) -> None:
    """Start all parts, each as soon as what it cannot do without is there."""
    supervisor.start(_service("echo", services.echo(), settings), layer=_SERVICES)
    if not cluster.exists():
        structlog.get_logger().info("creating the database", path=str(cluster.data))
        cluster.create()
    supervisor.start(
        Part("PostgreSQL", cluster.launch, _END_DATABASE, explain=cluster.last_words),
        layer=_DATABASE,
    )
    if not wait_until(cluster.is_ready, timeout=_DATABASE_SECONDS, watch=supervisor.watch):
        raise EnvironmentFault(f"PostgreSQL does not get ready:\n{cluster.last_words()}")
    passwords = {
        role: secret.keep(data.password(role)) for role in (roles.OWNER, roles.APP, roles.METRICS)
    }
    roles.provision(cluster, passwords)
    # It is not ready until it has seen its schema, so it may boot while the jobs run.
    supervisor.start(_service("api", services.api(), settings), layer=_SERVICES)
    for job in (services.migrate(), services.seed()):
        _complete(job, supervisor)


def _service(name: str, command: Command, settings: OneboxSettings) -> Part:
    # Its own supervisor is bounded by the same sum; who takes longer is stuck.
    patience = timeouts.supervisor(settings.drain_delay_seconds, settings.drain_timeout_seconds)
    steps = Step(signal.SIGTERM, patience + timeouts.CLOSE), Step(signal.SIGKILL, timeouts.CLOSE)
    return Part(name, lambda: spawn(command), steps)


def _complete(job: Command, supervisor: Supervisor) -> None:
    status = complete(job, timeout=_JOB_SECONDS, watch=supervisor.watch)
    if status:
        raise EnvironmentFault(f"{' '.join(job.argv)} ended with {status}; its messages are above")


def _await_services(settings: OneboxSettings, supervisor: Supervisor) -> None:
    for name, port in (("echo", settings.echo_admin_port), ("api", settings.api_admin_port)):
        address = settings.admin_host, port

        def is_ready(address: tuple[str, int] = address) -> bool:
            return readiness.is_ready(*address)

        if not wait_until(is_ready, timeout=_READY_SECONDS, watch=supervisor.watch):
            raise EnvironmentFault(
                f"{name} is not ready after {_READY_SECONDS:.0f} s: "
                f"{readiness.url(*address, '/readyz')} does not answer 200"
            )


def _stay(log: ServerLog, supervisor: Supervisor) -> NoReturn:
    while True:
        supervisor.watch()
        log.tick()
        time.sleep(TICK)
