"""The services: the commands that start them, and the environment they get.

Law of this file: secrets go into no environment, only the names of the files that hold them.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from bellbuoy.settings import PREFIX
from bellbuoy.variables import VARIABLES
from onebox import roles
from onebox.datadir import DataDirectory
from onebox.process import Command
from onebox.settings import OneboxSettings

_IMPORT_ROOT = Path(__file__).parents[1]
_DEMO_USERS = 1000


class Services:
    """The commands of one stack.

    Args:
        settings: All ports are numbers by now.
        environ: What onebox itself was given; it is passed on, except for the variables that no
            program knows: onebox has warned of them.
        data: Where the secrets lie.
        socket: The directory of PostgreSQL's socket.
        port: The number in the socket's name.
    """

    def __init__(
        self,
        settings: OneboxSettings,
        environ: Mapping[str, str],
        data: DataDirectory,
        socket: Path,
        port: int,
    ) -> None:
        """Work out the environment once."""
        self._data = data
        path = filter(None, (str(_IMPORT_ROOT), environ.get("PYTHONPATH")))
        self._environ = {
            **_without_unknown(environ),
            "PYTHONPATH": ":".join(path),
            "BUOY_HOST": settings.host,
            "BUOY_ECHO_PORT": str(settings.echo_port),
            "BUOY_ECHO_ADMIN_PORT": str(settings.echo_admin_port),
            "BUOY_API_PORT": str(settings.api_port),
            "BUOY_API_ADMIN_PORT": str(settings.api_admin_port),
            "BUOY_ADMIN_TOKEN_FILE": str(settings.admin_token_file or data.admin_token),
            "BUOY_WORKERS": str(settings.workers),
            "BUOY_LOOP": settings.loop,
            "BUOY_DB_POOL_SIZE": str(settings.db_pool_size),
        }
        self._database = {"BUOY_DB_HOST": str(socket), "BUOY_DB_PORT": str(port)}

    def echo(self) -> Command:
        """Return the echo service."""
        return self._python("echo")

    def api(self) -> Command:
        """Return the api; it may change rows and no schema."""
        return self._python("api", role=roles.APP)

    def migrate(self) -> Command:
        """Return the job that brings the schema up to date."""
        return self._python("api", "migrate", role=roles.OWNER)

    def seed(self) -> Command:
        """Return the job that adds the demo users who are missing."""
        return self._python("api", "seed", "--users", str(_DEMO_USERS), role=roles.OWNER)

    def _python(self, *arguments: str, role: str | None = None) -> Command:
        # -P: a file echo.py in the user's directory is not the echo service.
        argv = (sys.executable, "-P", "-m", *arguments)
        return Command(argv=argv, environ=self._environ | (self._access(role) if role else {}))

    def _access(self, role: str) -> dict[str, str]:
        return self._database | {
            "BUOY_DB_NAME": roles.DATABASE,
            "BUOY_DB_USER": role,
            "BUOY_DB_PASSWORD_FILE": str(self._data.password(role)),
            "BUOY_API_TOKENS_FILE": str(self._data.tokens),
        }


def _without_unknown(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(PREFIX) or name in VARIABLES
    }
