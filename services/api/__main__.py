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
from typing import NoReturn

import structlog

from api import schema
from api.seed import seed
from api.service import ApiService
from api.settings import ApiSettings
from bellbuoy import host, logs, settings
from bellbuoy.database import DatabaseSettings, migrate
from bellbuoy.errors import BellbuoyError


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
        return 1


def _serve() -> NoReturn:
    loaded = settings.load(ApiSettings, os.environ)
    logs.configure(loaded.log_level, service=ApiService.name)
    for warning in settings.unknown(ApiSettings, os.environ):
        structlog.get_logger("api").warning("unknown setting", detail=warning)
    host.run(ApiService(loaded), loaded, port=loaded.api_port, admin_port=loaded.api_admin_port)


def _migrate() -> int:
    loaded = settings.load(DatabaseSettings, os.environ)
    outcome = asyncio.run(migrate(loaded, schema.migrations()))
    for migration in outcome.applied:
        sys.stdout.write(f"applied {migration.version:04}_{migration.name}\n")
    newer = f", newer than this program's {outcome.program}"
    sys.stdout.write(
        f"the schema is at version {outcome.version}"
        f"{newer if outcome.version > outcome.program else ''}\n"
    )
    return 0


def _seed(users: int) -> int:
    loaded = settings.load(DatabaseSettings, os.environ)
    added = asyncio.run(seed(loaded, users))
    sys.stdout.write(f"{added} demo users added\n")
    return 0


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
