"""PostgreSQL for the bench: a new embedded cluster, as durable as PostgreSQL is by default."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.echo.contestants import SERVICES
from onebox import account, binaries, ports, roles, runtime, secret
from onebox.cluster import Cluster
from onebox.installation import Installation
from onebox.waiting import wait_until

USERS = 1000
START_SECONDS, STOP_SECONDS, JOB_SECONDS = 60.0, 30.0, 60.0


@dataclass(frozen=True)
class Postgres:
    """A running PostgreSQL with the api's schema and :data:`USERS` users."""

    cluster: Cluster
    secrets: Path

    def environ(self, role: str = roles.APP) -> dict[str, str]:
        """Return what sends a program of ours here as ``role``."""
        return {
            "BUOY_DB_HOST": str(self.cluster.socket),
            "BUOY_DB_PORT": str(self.cluster.port),
            "BUOY_DB_NAME": roles.DATABASE,
            "BUOY_DB_USER": role,
            "BUOY_DB_PASSWORD_FILE": str(self.secrets / f"{role}.password"),
        }

    def dsn(self) -> str:
        """Return what asyncpg connects to: the same socket, role and database as ours."""
        password = (self.secrets / f"{roles.APP}.password").read_text().strip()
        place = f"host={self.cluster.socket}&port={self.cluster.port}"
        return f"postgresql://{roles.APP}:{password}@/{roles.DATABASE}?{place}"

    def ask(self, sql: str) -> str:
        """Return what a query gives in the api's database, as the superuser."""
        return self.cluster.psql(sql, roles.DATABASE)

    def durability(self) -> dict[str, str]:
        """Return the settings that an acknowledged write depends on, as the api's role has them.

        Raises:
            AssertionError: One is off, so that writes are faster than they are safe.
        """
        names = ("synchronous_commit", "fsync", "full_page_writes")
        overridden = self.ask("SELECT setconfig FROM pg_db_role_setting")
        assert not any(name in overridden for name in names), overridden
        found = {name: self.ask(f"SHOW {name}") for name in names}
        assert set(found.values()) == {"on"}, found
        return found


@contextmanager
def serve(folder: Path) -> Iterator[Postgres]:
    """Run a new PostgreSQL until the block ends; it inherits this process's cores."""
    data, secrets = folder / "data", folder / "secrets"
    secrets.mkdir()
    passwords = {
        role: secret.keep(secrets / f"{role}.password")
        for role in (roles.OWNER, roles.APP, roles.METRICS)
    }
    with ExitStack() as stack:
        user = account.choose(data)
        place = stack.enter_context(runtime.make(data, user))
        cluster = Cluster(
            data=data,
            installation=Installation(place.reachable(binaries.locate(None), user), user),
            socket=place.socket,
            password=secret.keep(secrets / "postgres.password"),
            log=folder / "postgres.log",
            port=ports.free("127.0.0.1")[0],
        )
        cluster.create()
        stack.enter_context(_started(cluster))
        roles.provision(cluster, passwords)
        postgres = Postgres(cluster, secrets)
        for job in (("migrate",), ("seed", "--users", str(USERS))):
            _run(postgres, *job)
        assert postgres.ask("SELECT count(*), max(id) FROM users") == f"{USERS}|{USERS}"
        postgres.ask("ANALYZE")
        yield postgres


@contextmanager
def _started(cluster: Cluster) -> Iterator[None]:
    process = cluster.launch()
    try:
        ready = wait_until(cluster.is_ready, timeout=START_SECONDS)
        assert ready, cluster.last_words()
        yield
    finally:
        process.terminate()  # a smart stop: whoever is connected has ended by now
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _run(postgres: Postgres, *job: str) -> None:
    environ = {**os.environ, **postgres.environ(roles.OWNER), "PYTHONPATH": str(SERVICES)}
    environ["BUOY_LOG_LEVEL"] = "warning"
    command = [sys.executable, "-m", "api", *job]
    subprocess.run(command, env=environ, check=True, timeout=JOB_SECONDS)  # noqa: S603
