"""Composition: what a rendered compose file or a file of settings says of database connections.

Compose stops the old container of a service before it starts the new one, so nothing surges.
"""

import re
from collections.abc import Mapping

import msgspec

from bellbuoy.budget import MAX_CONNECTIONS, Budget, Tenant
from bellbuoy.cli.manifests import DATABASE, number
from bellbuoy.errors import EnvironmentFault
from bellbuoy.settings import PoolSettings

_MOST = re.compile(r"max_connections\s*=\s*(\d+)")
_LINE = re.compile(r"(BUOY_[A-Z0-9_]+)=(\S*)")


class _Deploy(msgspec.Struct):
    replicas: int = 1


class _Service(msgspec.Struct):
    """Some members of a service; the others are ignored."""

    environment: dict[str, str | None] = {}
    command: list[str] | None = None
    restart: str = ""
    deploy: _Deploy = msgspec.field(default_factory=_Deploy)


class _File(msgspec.Struct):
    services: dict[str, _Service] = {}


def read(document: object) -> Budget:
    """Return the budget that the output of ``docker compose config`` describes.

    Args:
        document: As a YAML reader returns it.

    Raises:
        EnvironmentFault: It is no compose file, or says too little to count with.
    """
    try:
        services = msgspec.convert(document, _File).services
    except msgspec.ValidationError as error:
        raise EnvironmentFault(f"this is no output of `docker compose config`: {error}") from error
    users = {name: each for name, each in services.items() if DATABASE in each.environment}
    jobs = [name for name, each in users.items() if each.restart == "no"]
    tenants = tuple(_tenant(name, each) for name, each in users.items() if name not in jobs)
    if not tenants:
        raise EnvironmentFault(f"no service here sets {DATABASE}, so none uses the database")
    return Budget(tenants=tenants, jobs=len(jobs), max_connections=_most(services))


def settings(text: str) -> dict[str, int]:
    """Return workers and pool size as a file of settings such as ``api.env`` gives them.

    Raises:
        EnvironmentFault: One of them cannot be counted with.
    """
    found = dict(_LINE.findall(text))
    return {
        "workers": number("settings", found, "BUOY_WORKERS", 1),
        "pool_size": number("settings", found, "BUOY_DB_POOL_SIZE", PoolSettings().db_pool_size),
    }


def _tenant(name: str, service: _Service) -> Tenant:
    found = {key: value for key, value in service.environment.items() if value is not None}
    return Tenant(
        name=name,
        replicas=service.deploy.replicas,
        surge=0,
        leaving=0,
        workers=number(name, found, "BUOY_WORKERS", 0),
        pool_size=number(name, found, "BUOY_DB_POOL_SIZE", PoolSettings().db_pool_size),
    )


def _most(services: Mapping[str, _Service]) -> int:
    for each in services.values():
        if found := _MOST.search(" ".join(each.command or ())):
            return int(found[1])
    return MAX_CONNECTIONS
