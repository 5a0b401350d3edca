"""``bellbuoy budget``: whether PostgreSQL has a connection for everybody who may want one."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from bellbuoy.budget import MAX_CONNECTIONS, RESERVED, Budget, Tenant
from bellbuoy.cli import composition, manifests
from bellbuoy.errors import EnvironmentFault
from bellbuoy.settings import PoolSettings

MOST_BYTES = 16 * 1024 * 1024
"""Longer manifests are none."""

_DESCRIPTION = """
Count the connections of the worst moment, a rollout at full scale, against max_connections. Exit
status 0 if they fit, 1 if not. Numbers given here go before those of the manifests.
"""
_TENANT = ("replicas", "surge", "leaving", "workers", "pool_size")
_SERVER = ("jobs", "max_connections", "reserved")


def add(commands: "argparse._SubParsersAction[Any]") -> None:
    """Declare the word's arguments."""
    parser = commands.add_parser(
        "budget", help="count database connections", description=_DESCRIPTION
    )
    parser.add_argument(
        "--manifests",
        metavar="FILE",
        help="rendered manifests, `-` for standard input: kubectl kustomize ... | bellbuoy budget "
        "--manifests -",
    )
    parser.add_argument(
        "--compose",
        metavar="FILE",
        help="output of `docker compose config`, `-` for standard input",
    )
    parser.add_argument(
        "--settings", metavar="FILE", help="workers and pool size from a file like api.env"
    )
    for name, meaning in (
        ("replicas", "instances at most (the autoscaler's maximum)"),
        ("surge", "instances more while a release rolls out"),
        ("leaving", "instances that were told to stop and have not ended"),
        ("workers", "traffic workers of an instance"),
        ("pool-size", "BUOY_DB_POOL_SIZE"),
        ("jobs", "one-shot jobs, such as migrations"),
        ("max-connections", f"PostgreSQL's setting (default {MAX_CONNECTIONS})"),
        ("reserved", f"superuser_reserved_connections (default {RESERVED})"),
    ):
        parser.add_argument(f"--{name}", type=_count, metavar="N", help=meaning)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the arithmetic; return 0 if the budget holds, else 1."""
    budget = _budget(arguments)
    given = {name: value for name, value in vars(arguments).items() if value is not None}
    if arguments.settings:
        given = composition.settings(_open(arguments.settings)) | given
    tenants = tuple(
        replace(each, **{name: given[name] for name in _TENANT if name in given})
        for each in budget.tenants
    )
    server = {name: given[name] for name in _SERVER if name in given}
    budget = replace(budget, tenants=tenants, **server)
    sys.stdout.write(budget.report() + "\n")
    return 0 if budget.holds else 1


def _budget(arguments: argparse.Namespace) -> Budget:
    if arguments.manifests and arguments.compose:
        raise EnvironmentFault("--manifests and --compose are two budgets: give one")
    if arguments.manifests:
        return manifests.read(_documents(arguments.manifests))
    if arguments.compose:
        return composition.read(next(iter(_documents(arguments.compose)), None))
    return _plain()


def _plain() -> Budget:
    """Return one instance with a worker, and the migration job."""
    tenant = Tenant(
        name="api",
        replicas=1,
        surge=1,
        leaving=1,
        workers=1,
        pool_size=PoolSettings().db_pool_size,
    )
    return Budget(tenants=(tenant,), jobs=1)


def _documents(name: str) -> list[object]:
    try:
        import yaml  # noqa: PLC0415 - the extra `cli` has it, and only this needs it
    except ImportError as error:
        raise EnvironmentFault(
            "reading manifests takes PyYAML: pip install bellbuoy[cli]"
        ) from error
    try:
        return list(yaml.safe_load_all(_open(name)))
    except yaml.YAMLError as error:
        raise EnvironmentFault(f"cannot read {name}: {error}") from error


def _open(name: str) -> str:
    try:
        return sys.stdin.read(MOST_BYTES) if name == "-" else _text(Path(name))
    except (OSError, UnicodeDecodeError) as error:
        raise EnvironmentFault(f"cannot read {name}: {error}") from error


def _text(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        return file.read(MOST_BYTES)


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > 6:  # noqa: PLR2004 - nobody has a million
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 on")
    return int(text)
