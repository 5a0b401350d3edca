"""A PostgreSQL cluster as a child of ours: made, started, watched.

Law of this file: the caller holds the data directory alone, and the server runs in the
foreground, so that we are the parent that reaps it.
"""

import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bellbuoy.errors import EnvironmentFault
from onebox import initdb, postmaster
from onebox.initdb import SUPERUSER
from onebox.installation import Installation, environ
from onebox.process import spawn
from onebox.serverlog import last_words
from onebox.waiting import Watch, nothing

_PSQL_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """One data directory, its socket and its superuser.

    Args:
        data: The data directory; its parent exists.
        installation: Which PostgreSQL, run by whom.
        socket: An existing directory of that account, its path at most 90 bytes.
        password: The superuser's password.
        log: Where the server writes to.
        listen: Addresses for TCP; none by default.
        port: Names the socket, and is the TCP port.
        settings: Further server settings.
        sync: Make a new cluster survive a power cut at once.
        watch: Called while waiting; what it raises ends the wait.
    """

    data: Path
    installation: Installation
    socket: Path
    password: str = field(repr=False)
    log: Path
    listen: Sequence[str] = ()
    port: int = 5432
    settings: Mapping[str, str] = field(default_factory=dict)
    sync: bool = True
    watch: Watch = nothing

    def exists(self) -> bool:
        """Return whether the data directory was made, by whatever version.

        Raises:
            EnvironmentFault: Something else is in its place.
        """
        if (self.data / "PG_VERSION").exists():
            return True
        if self.data.exists() and any(self.data.iterdir()):
            raise EnvironmentFault(f"{self.data} is not empty and no PostgreSQL data directory")
        return False

    def create(self) -> None:
        """Make the data directory; all of it, or none if we are killed meanwhile.

        Raises:
            EnvironmentFault: initdb failed; the message holds what it said.
        """
        try:
            initdb.create(
                self.data,
                installation=self.installation,
                password=self.password,
                scratch=self.socket.parent,
                log=self.log,
                sync=self.sync,
                watch=self.watch,
            )
        except OSError as error:
            raise EnvironmentFault(f"cannot make {self.data}: {error}") from error

    def require_major(self) -> None:
        """Return if the binaries fit the data.

        Raises:
            EnvironmentFault: They are of another major version; the message has the ways out.
        """
        found = (self.data / "PG_VERSION").read_text().strip()
        ours = str(self.installation.binaries.major)
        if found != ours:
            raise EnvironmentFault(
                f"{self.data} was made by PostgreSQL {found}, and these binaries are PostgreSQL "
                f"{ours}. The data is untouched. Either\n"
                f"  - start with PostgreSQL {found}: BUOY_POSTGRES_BIN=<directory with its initdb, "
                "postgres and psql>,\n"
                f"    and take a pg_dump from there to restore under PostgreSQL {ours}; or\n"
                "  - start with an empty directory: BUOY_DATA_DIR=<another one>; or\n"
                f"  - if nothing in it matters, remove {self.data}"
            )

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the server and return at once; see :meth:`is_ready`."""
        extra: dict[str, str] = {}
        previous = postmaster.read(self.data)
        if previous and previous.blocks and not previous.is_alive(self.data):
            # pg_ctl passes its own parent's number here, to say "that one is no server".
            extra["PG_GRANDPARENT_PID"] = str(previous.pid)
        command = self.installation.command(
            "postgres", self.data, self._arguments(), signal.SIGINT, extra
        )
        with self.log.open("ab") as log:
            return spawn(command, stdout=log, stderr=log)

    def is_ready(self) -> bool:
        """Return whether the server accepts connections."""
        found = postmaster.read(self.data)
        return found is not None and found.is_ready and found.is_alive(self.data)

    def psql(self, script: str, database: str = "postgres") -> str:
        """Run a script as the superuser and return what its queries gave, unaligned.

        Raises:
            EnvironmentFault: It failed; the message holds what psql said.
        """
        where = ["-h", str(self.socket), "-p", str(self.port), "-U", SUPERUSER, "-d", database]
        form = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"]
        try:
            done = subprocess.run(  # noqa: S603  # our binary; the script goes to its input
                [self.installation.binaries.program("psql"), *where, *form],
                input=script,
                env=environ() | {"PGPASSWORD": self.password, "PGCONNECT_TIMEOUT": "10"},
                capture_output=True,
                text=True,
                timeout=_PSQL_SECONDS,
                check=False,
                start_new_session=True,  # Ctrl-C is ours to handle
            )
        except subprocess.TimeoutExpired as error:
            raise EnvironmentFault(f"psql did not end within {_PSQL_SECONDS:.0f} s") from error
        if done.returncode:
            raise EnvironmentFault(f"psql failed:\n{done.stderr.strip()}")
        return done.stdout.strip()

    def last_words(self) -> str:
        """Return the last lines of the server's log."""
        return last_words(self.log)

    def _arguments(self) -> list[str]:
        settings = {
            "listen_addresses": ",".join(self.listen),
            "port": str(self.port),
            "unix_socket_directories": str(self.socket),
            "unix_socket_permissions": "0700",
            **self.settings,
        }
        return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
