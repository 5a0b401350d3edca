"""A session: how a connection to PostgreSQL is opened, and the contract it is used under.

Law of this file: a pooled session carries no state. Nobody sets a parameter, listens, or locks
beyond a transaction in it, so there is nothing to reset when it changes hands, and no round trip
is spent on that.
"""

import asyncio
import contextlib
import socket
import ssl
from typing import Any

import asyncpg

from bellbuoy import timeouts
from bellbuoy.database.settings import DatabaseSettings
from bellbuoy.errors import SettingsError
from bellbuoy.settings import read_secret

# Idle seconds, seconds between probes, and probes: a peer that vanished is noticed in 30 s.
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 15), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3))

_USER_TIMEOUT = 20_000
"""Milliseconds for which sent bytes may stay unacknowledged; keepalive does not act then."""


class Session(asyncpg.Connection):
    """A connection that notices a vanished peer, and needs no reset."""

    __slots__ = ()

    def __init__(
        self,
        protocol: Any,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        addr: Any,
        config: Any,
        params: Any,
    ) -> None:
        """Take over a transport; asyncpg calls this."""
        super().__init__(protocol, transport, loop, addr, config, params)
        watch_peer(transport)

    def get_reset_query(self) -> str:
        """Return nothing; an open transaction is rolled back all the same."""
        return ""


def watch_peer(transport: asyncio.Transport) -> None:
    """Have the kernel end a TCP connection whose peer is gone; asyncpg sets none of this."""
    connection = transport.get_extra_info("socket")
    if connection is None or connection.family == socket.AF_UNIX:
        return
    # The peer may have reset the connection already, and then it has no options.
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT)


def connect_arguments(settings: DatabaseSettings, application: str) -> dict[str, Any]:
    """Return what ``asyncpg.connect`` and ``create_pool`` take.

    Everything that asyncpg would look up in the environment (``PGSSLMODE`` and its kin) is given.

    Args:
        settings: Where to and as whom.
        application: The name that ``pg_stat_activity`` shows.

    Raises:
        SettingsError: The certificates cannot be read, or the password cannot.
    """
    variable = "BUOY_DB_PASSWORD_FILE"
    read_secret(variable, settings.db_password_file)
    return {
        "host": settings.db_host,
        "port": settings.db_port,
        "database": settings.db_name,
        "user": settings.db_user,
        "password": lambda: read_secret(variable, settings.db_password_file),
        "ssl": _tls(settings),
        "direct_tls": False,
        "timeout": timeouts.CONNECT,
        "command_timeout": timeouts.COMMAND,
        **_sharing(settings, application),
        # After a failover the old primary may still answer, read-only.
        "target_session_attrs": "read-write",
        "connection_class": Session,
    }


def _sharing(settings: DatabaseSettings, application: str) -> dict[str, Any]:
    """Return what depends on whether a server session is ours for longer than a transaction."""
    if settings.db_pooler == "transaction":
        # The next statement may run in another session, which knows no statement of ours; and a
        # parameter that the pooler does not know makes it refuse the login.
        return {"statement_cache_size": 0, "server_settings": {}}
    return {"server_settings": {"application_name": application}}


def _tls(settings: DatabaseSettings) -> ssl.SSLContext | bool:
    if settings.db_sslmode == "disable":
        if settings.db_ca_file is not None:
            raise SettingsError(["BUOY_DB_CA_FILE: takes BUOY_DB_SSLMODE=verify-full as well"])
        return False
    try:
        context = ssl.create_default_context(cafile=settings.db_ca_file)
    except OSError as error:
        raise SettingsError(
            [f"BUOY_DB_CA_FILE: cannot load {settings.db_ca_file}: {error.strerror or error}"]
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
