"""Where the database is, and how much of it a worker takes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from bellbuoy.settings import PoolSettings, Port


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings(PoolSettings):
    """What every program that uses PostgreSQL understands."""

    db_host: Annotated[
        str,
        Meta(min_length=1, description="Host of PostgreSQL, or the directory of its Unix socket."),
    ] = "127.0.0.1"
    db_port: Annotated[Port, Meta(description="Port of PostgreSQL.")] = 5432
    db_name: Annotated[str, Meta(min_length=1, description="Name of the database.")] = "bellbuoy"
    db_user: Annotated[
        str,
        Meta(
            min_length=1,
            description="Role to log in as: bellbuoy_app to serve, bellbuoy_owner to migrate.",
        ),
    ] = "bellbuoy_app"
    db_password_file: Annotated[
        Path,
        Meta(description="File with the role's password; read again for each connection."),
    ]
    db_sslmode: Annotated[
        Literal["disable", "verify-full"],
        Meta(
            description="verify-full encrypts and checks the server's certificate and name; "
            "disable is for loopback and Unix sockets."
        ),
    ] = "disable"
    db_pooler: Annotated[
        Literal["none", "transaction"],
        Meta(
            description="transaction if BUOY_DB_HOST is a PgBouncer in transaction mode: no "
            "statement is prepared beyond its transaction, and no parameter is set at login. "
            "Migrations need a direct connection."
        ),
    ] = "none"
    db_ca_file: Annotated[
        Path | None,
        Meta(
            description="Certificates that vouch for the server under verify-full; the system's "
            "unless set."
        ),
    ] = None
