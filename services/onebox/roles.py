"""Roles: the database and who may do what in it, from ``deploy/postgres/roles.sql``."""

from collections.abc import Mapping
from pathlib import Path

from onebox.cluster import Cluster

DATABASE = "bellbuoy"
OWNER = "bellbuoy_owner"
APP = "bellbuoy_app"
METRICS = "bellbuoy_metrics"

_SCRIPT = Path(__file__).parents[2] / "deploy" / "postgres" / "roles.sql"


def provision(cluster: Cluster, passwords: Mapping[str, str]) -> None:
    """Make roles and database, or bring them up to date; the server is ready.

    Args:
        cluster: Where.
        passwords: By role: one for each of the three.

    Raises:
        EnvironmentFault: The server refused.
    """
    settings = "".join(
        f"SET bellbuoy.{role.removeprefix('bellbuoy_')}_password = '{_quoted(password)}';\n"
        for role, password in passwords.items()
    )
    cluster.psql(settings + _SCRIPT.read_text())


def _quoted(text: str) -> str:
    return text.replace("'", "''")
