"""Ports: free ones are found, taken ones are explained, before anything is started."""

import dataclasses
import errno
import os
import random
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import psutil

from bellbuoy.errors import EnvironmentFault
from bellbuoy.settings import variable
from onebox.settings import OneboxSettings
from onebox.waiting import Watch, nothing, wait_until

# Below the range from which the kernel takes ports for outgoing connections (32768 on Linux), so
# that none of those gets there between our look and the service's bind.
_FREE = range(15_000, 32_000)
_TRIES = 200


@dataclass(frozen=True)
class Endpoint:
    """A port that onebox needs.

    Args:
        field: The setting that chooses it.
        host: Where it is bound.
        port: Its number.
    """

    field: str
    host: str
    port: int

    def problem(self) -> str | None:
        """Return why it cannot be had, with the way out; ``None`` if it can."""
        try:
            with _bound(self.host, self.port):
                return None
        except PermissionError:
            reason = "needs privileges"
        except socket.gaierror as error:
            return f"{self._host_variable}={self.host} is no address: {error.strerror}"
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                return f"{self._host_variable}={self.host} is no address of this machine"
            if error.errno != errno.EADDRINUSE:
                raise
            reason = f"is in use by {_holder(self.port)}"
        name = variable(self.field)
        return f"port {self.port} ({name}) on {self.host} {reason}. Choose another: {name}=<port>"

    @property
    def _host_variable(self) -> str:
        return variable("admin_host" if self.field.endswith("admin_port") else "host")


def claim(settings: OneboxSettings, *, patience: float, watch: Watch = nothing) -> OneboxSettings:
    """Return the settings with every port 0 replaced, once all ports can be had.

    Args:
        settings: As configured.
        patience: Seconds to wait for ports that a killed run's processes are giving back.
        watch: Called while waiting.

    Raises:
        EnvironmentFault: Ports that cannot be had, all of them, each with its holder.
    """
    problems = _problems([dataclasses.replace(end, port=0) for end in endpoints(settings)])
    if problems:  # with the hosts
        raise EnvironmentFault("\n".join(problems))
    settings = _numbered(settings)
    wanted = endpoints(settings)

    def are_free() -> bool:
        problems[:] = _problems(wanted)
        return not problems

    if not wait_until(are_free, timeout=patience, watch=watch):
        raise EnvironmentFault("\n".join(problems))
    return settings


def endpoints(settings: OneboxSettings) -> list[Endpoint]:
    """Return what onebox will listen on."""
    return [
        Endpoint("echo_port", settings.host, settings.echo_port),
        Endpoint("echo_admin_port", settings.admin_host, settings.echo_admin_port),
        Endpoint("api_port", settings.host, settings.api_port),
        Endpoint("api_admin_port", settings.admin_host, settings.api_admin_port),
    ]


def free(host: str, count: int = 1) -> list[int]:
    """Return different ports that were free on ``host`` a moment ago.

    Raises:
        EnvironmentFault: There are hardly any.
    """
    found: list[int] = []
    with ExitStack() as held:
        for port in random.sample(_FREE, _TRIES):
            if len(found) == count:
                return found
            try:
                held.enter_context(_bound(host, port))
            except OSError:
                continue
            found.append(port)
    raise EnvironmentFault(f"no free port among {_TRIES} tried from {_FREE} on {host}")


def _numbered(settings: OneboxSettings) -> OneboxSettings:
    open_fields = [endpoint.field for endpoint in endpoints(settings) if not endpoint.port]
    ports = free(settings.host, len(open_fields))
    return dataclasses.replace(settings, **dict(zip(open_fields, ports, strict=True)))  # type: ignore[arg-type]  # all of them are ports


def _problems(wanted: Sequence[Endpoint]) -> list[str]:
    fields: dict[int, list[str]] = {}
    for endpoint in wanted:
        fields.setdefault(endpoint.port, []).append(variable(endpoint.field))
    twice = [
        f"{' and '.join(names)} are the same, {port}. Give each a port of its own"
        for port, names in fields.items()
        if port and len(names) > 1
    ]
    return twice or list(dict.fromkeys(filter(None, (end.problem() for end in wanted))))


def _bound(host: str, port: int) -> socket.socket:
    """Return a socket bound as a server's would be; it does not listen."""
    family, kind, proto, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, proto)
    try:
        # As servers do: connections of an earlier one in TIME_WAIT are no hindrance.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except BaseException:
        listener.close()
        raise
    return listener


def _holder(port: int) -> str:
    pids = {
        connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,)
    }
    known = sorted(pid for pid in pids if pid and pid != os.getpid())
    return " and ".join(map(_described, known)) or "a process of another user"


def _described(pid: int) -> str:
    try:
        line = " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return f"process {pid}"
    return f"process {pid} ({line[:80]})"
