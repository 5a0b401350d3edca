"""A real PostgreSQL for tests: fixtures around onebox's embedded cluster.

``database`` gives each test a database of its own, with roles, on one server a pytest process.
``own_postgres`` gives a test a server of its own, to stop, kill and start again.
"""

import atexit
import functools
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from onebox import account, binaries, ports, roles, runtime, secret
from onebox.cluster import Cluster
from onebox.installation import Installation
from onebox.waiting import wait_until

_READY_SECONDS = 30.0
_STOP_SECONDS = 10.0

# A test's rows need not survive a power cut; they do survive a kill.
_FAST = {"fsync": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class Database:
    """One database on a server, and the ways in.

    Args:
        name: Its name.
        socket: The directory of the server's socket, for ``host``.
        port: The same for the socket and for 127.0.0.1.
        secrets: A directory with ``{role}.password`` files.
    """

    name: str
    socket: Path
    port: int
    secrets: Path

    def password_file(self, role: str = roles.APP) -> Path:
        """Return the file with a role's password."""
        return self.secrets / f"{role}.password"

    def environ(self, role: str = roles.APP, host: str | None = None) -> dict[str, str]:
        """Return the variables that send a program here as ``role``.

        Args:
            role: bellbuoy_app, bellbuoy_owner or bellbuoy_metrics.
            host: The socket's directory unless given; 127.0.0.1 for TCP.
        """
        return {
            "BUOY_DB_HOST": host or str(self.socket),
            "BUOY_DB_PORT": str(self.port),
            "BUOY_DB_NAME": self.name,
            "BUOY_DB_USER": role,
            "BUOY_DB_PASSWORD_FILE": str(self.password_file(role)),
        }

    def connect_arguments(self, role: str = roles.APP, host: str | None = None) -> dict[str, Any]:
        """Return the arguments for ``asyncpg.connect`` and ``create_pool``."""
        return {
            "host": host or str(self.socket),
            "port": self.port,
            "database": self.name,
            "user": role,
            "password": self.password_file(role).read_text().strip(),
        }


@dataclass
class Server:
    """A running server with roles; ``bellbuoy`` on it is the template of every test's database."""

    cluster: Cluster
    secrets: Path
    _process: subprocess.Popen[bytes] | None = None
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def pid(self) -> int:
        """The postmaster's process number."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, again if need be, and wait until it accepts connections."""
        if self._process is None:
            wait_until(self._launch, timeout=_READY_SECONDS)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT cuts connections and shuts down cleanly, SIGKILL does not."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.send_signal(signal.SIGCONT)
            self._process.wait(_STOP_SECONDS)
            self._process = None

    def kill(self) -> None:
        """Kill it as ``kill -9`` does."""
        self.stop(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze it: connections stay open, nothing answers (see :meth:`resume`)."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Thaw it."""
        os.kill(self.pid, signal.SIGCONT)

    def hang(self) -> None:
        """Freeze it with all its sessions, until :meth:`wake`; the kernel acknowledges on."""
        self._signal_all(signal.SIGSTOP)

    def wake(self) -> None:
        """Thaw it and its sessions."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        # The postmaster first: it would take a session that does not stir for dead.
        for each in (self.pid, *_children(self.pid)):
            os.kill(each, number)

    def psql(self, script: str, database: str = "postgres") -> str:
        """Run SQL as the superuser."""
        return self.cluster.psql(script, database)

    def database(self, name: str = roles.DATABASE) -> Database:
        """Return the ways into a database that exists."""
        return Database(name, self.cluster.socket, self.cluster.port, self.secrets)

    def create_database(self, template: str = roles.DATABASE) -> Database:
        """Make a database with the same contents and rights as ``template``."""
        name = f"test_{next(self._numbers)}"
        self.psql(
            f"CREATE DATABASE {name} TEMPLATE {template} OWNER {roles.OWNER};"
            f"REVOKE ALL ON DATABASE {name} FROM PUBLIC;"
            f"GRANT CONNECT ON DATABASE {name} TO {roles.APP}, {roles.METRICS};"
        )
        return self.database(name)

    def drop_database(self, database: Database) -> None:
        """Remove a database, whoever is connected to it."""
        self.psql(f"DROP DATABASE {database.name} WITH (FORCE)")

    def tolerate(self, database: Database) -> None:
        """Let the app's statements there wait and run for a minute: PostgreSQL ends none itself.

        For connections that are opened afterwards.
        """
        for name in ("lock_timeout", "statement_timeout"):
            self.psql(f"ALTER ROLE {roles.APP} IN DATABASE {database.name} SET {name} = '60s'")

    def _launch(self) -> bool:
        """Start it once; false when it ended: killed sessions may hold its memory for a moment."""
        process = self.cluster.launch()
        wait_until(
            lambda: process.poll() is not None or self.cluster.is_ready(), timeout=_READY_SECONDS
        )
        if process.poll() is not None:
            return False
        self._process = process
        return True


def _children(pid: int) -> list[int]:
    """Return the processes that a process started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(each) for each in listed.split()]


@functools.cache
def _template() -> Path:
    """Return the directory of a server with roles that has stopped; the process makes it once."""
    directory = Path(tempfile.mkdtemp(prefix="bellbuoy-postgres-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    with _serve(directory, is_new=True):
        pass
    return directory


@contextmanager
def serve(directory: Path) -> Iterator[Server]:
    """Run a new server whose data, log and secrets lie in ``directory``."""
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "--archive", f"{_template()}/.", directory], check=True)
    with _serve(directory, is_new=False) as server:
        yield server


@contextmanager
def _serve(directory: Path, *, is_new: bool) -> Iterator[Server]:
    data, secrets = directory / "data", directory / "secrets"
    secrets.mkdir(exist_ok=True)
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
            log=directory / "postgres.log",
            listen=("127.0.0.1",),
            port=ports.free("127.0.0.1")[0],
            settings=_FAST,
            sync=False,
        )
        if is_new:
            cluster.create()
        server = Server(cluster, secrets)
        stack.callback(server.stop)
        server.start()
        if is_new:
            roles.provision(cluster, passwords)
        yield server


_SHARED = pytest.StashKey[Server]()


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """The server that the tests of this pytest process share; leave it running."""
    # A session's fixture is made anew for each module that imports it, so the session keeps it.
    stash = request.config.stash
    if _SHARED not in stash:
        stack = ExitStack()
        request.config.add_cleanup(stack.close)
        stash[_SHARED] = stack.enter_context(serve(tmp_path_factory.mktemp("postgres")))
    return stash[_SHARED]


@pytest.fixture
def database(postgres: Server) -> Iterator[Database]:
    """An empty database with roles, for this test alone."""
    database = postgres.create_database()
    yield database
    postgres.drop_database(database)


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[Server]:
    """A server for this test alone, to stop, kill and start again (about 0.5 s)."""
    with serve(tmp_path / "postgres") as server:
        yield server
