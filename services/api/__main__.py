"""The composition root: the only place of the api that reads the environment.

::

    python -m api                       serve
    python -m api migrate               bring the database to this program's schema
    python -m api seed --users 1000     put demo users into it
"""

import argparse
import asyncio
import os
import sys
from typing import NoReturn, TypeVar

import structlog

from api import schema
from api.seed import seed
from api.service import ApiService
from api.settings import ApiSettings, JobSettings
from bellbuoy import host, logs, startup
from bellbuoy.database import migrate
from bellbuoy.errors import BellbuoyError
from bellbuoy.settings import LogSettings, load

S = TypeVar("S", bound=LogSettings)

_log = structlog.get_logger("api")


def main(arguments: list[str]) -> int:
    """Run a command and return the exit status; what an operator must mend is one block of text."""
    chosen = _parser().parse_args(arguments)
    try:
        match chosen.command:
            case "migrate":
                return _migrate()
            case "seed":
                return _seed(chosen.users)
            case _:
                _serve()
    except BellbuoyError as error:
        sys.stderr.write(f"api: {error}\n")
        return startup.exit_status(error)


def _serve() -> NoReturn:
    loaded = _begin(ApiSettings)
    host.run(ApiService(loaded), loaded, port=loaded.api_port, admin_port=loaded.api_admin_port)


def _migrate() -> int:
    outcome = asyncio.run(migrate(_begin(JobSettings), schema.migrations()))
    for migration in outcome.applied:
        _log.info("migration applied", migration=f"{migration.version:04}_{migration.name}")
    _log.info("schema is up to date", schema=outcome.version, program=outcome.program)
    return 0


def _seed(users: int) -> int:
    added = asyncio.run(seed(_begin(JobSettings), users))
    _log.info("demo users added", added=added)
    return 0


def _begin(cls: type[S]) -> S:
    """Read the settings and configure the logs by them."""
    loaded = load(cls, os.environ)
    logs.configure(loaded.log_level, service=ApiService.name)
    startup.warn_of_unknown(cls, os.environ)
    return loaded


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m api", description="The api of Bellbuoy.")
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser("migrate", help="bring the database to this program's schema")
    demo = commands.add_parser("seed", help="put demo users into the database")
    demo.add_argument("--users", type=_count, default=1000, help="how many (default 1000)")
    return parser


def _count(text: str) -> int:
    count = int(text)
    if not 0 < count <= 1_000_000:  # noqa: PLR2004
        raise argparse.ArgumentTypeError("from 1 to 1000000")
    return count


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
