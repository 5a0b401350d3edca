"""An installation: PostgreSQL's binaries, and the account that runs them."""

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from onebox.account import Account
from onebox.binaries import Binaries
from onebox.process import Command

# As its working directory a process reaches a place whose parents it may not search (/root), and
# a path of any length has a short name.
_HERE = Path("/proc/self/cwd")


def environ() -> dict[str, str]:
    """Return the little that PostgreSQL needs; PGDATA, PGHOST and LC_* of the user mislead it."""
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


@dataclass(frozen=True)
class Installation:
    """Binaries and account.

    Args:
        binaries: Which PostgreSQL; the account may run it.
        account: Whom it runs as; ``None`` is us.
    """

    binaries: Binaries
    account: Account | None

    def command(
        self,
        program: str,
        directory: Path,
        arguments: Sequence[str],
        death_signal: signal.Signals,
        extra: Mapping[str, str] = MappingProxyType({}),
    ) -> Command:
        """Return the command that runs a program of ours on a data directory."""
        return Command(
            argv=(self.binaries.program(program), "-D", str(_HERE), *arguments),
            environ=environ() | dict(extra),
            directory=directory,
            account=self.account,
            death_signal=death_signal,
        )
