"""The data directory: what lies where below ``BUOY_DATA_DIR``."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bellbuoy.errors import EnvironmentFault
from onebox import lock, secret, token


@dataclass(frozen=True)
class DataDirectory:
    """A data directory that we hold.

    Args:
        path: Absolute.
        was_abandoned: Its holder before us was killed.
    """

    path: Path
    was_abandoned: bool

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own directory."""
        return self.path / "postgres"

    @property
    def log(self) -> Path:
        """PostgreSQL's log."""
        return self.path / "postgres.log"

    @property
    def token(self) -> Path:
        """A bearer token for the api, for the person at this machine."""
        return self.path / "dev.token"

    @property
    def admin_token(self) -> Path:
        """The token for writing on the admin ports, for the person at this machine."""
        return self.path / "admin.token"

    @property
    def tokens(self) -> Path:
        """What the api knows of the bearer tokens: their hashes."""
        return self.path / "secrets" / "api.tokens"

    def password(self, role: str) -> Path:
        """Return the file with a database role's password."""
        return self.path / "secrets" / f"{role}.password"


@contextmanager
def hold(path: Path) -> Iterator[DataDirectory]:
    """Make the directory if need be and hold its lock for as long as the context is open.

    Raises:
        EnvironmentFault: It cannot be made or written, or somebody else holds it.
    """
    path = path.absolute()
    with ExitStack() as stack:
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            held = stack.enter_context(lock.hold(path / "lock"))
            (path / "secrets").mkdir(mode=0o700, exist_ok=True)
            directory = DataDirectory(path, held.was_abandoned)
            secret.keep(directory.admin_token)
            token.register(directory.tokens, secret.keep(directory.token))
        except OSError as error:
            raise EnvironmentFault(
                f"the data directory {path} cannot be used: {error.strerror} ({error.filename}). "
                "Choose one that this user may write: BUOY_DATA_DIR"
            ) from error
        yield directory
