"""``bellbuoy token``: who may use the api.

::

    bellbuoy token new --name alice --scope users:read --days 90
    bellbuoy token list
    bellbuoy token revoke --name alice

A running service notices within a second or two. The file is ``--file``, or what
``BUOY_API_TOKENS_FILE`` names.
"""

import argparse
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from bellbuoy import tokens
from bellbuoy.errors import SettingsError

VARIABLE = "BUOY_API_TOKENS_FILE"
SCOPES = ("users:read", "users:write")
MAX_DAYS = 3650


def add(commands: "argparse._SubParsersAction[Any]") -> None:
    """Declare ``token new``, ``token list`` and ``token revoke``."""
    parser = commands.add_parser("token", help="make, list and revoke the api's bearer tokens")
    actions = parser.add_subparsers(dest="action", metavar="action", required=True)
    new = actions.add_parser("new", help="make a token and print it, once")
    new.add_argument("--name", required=True, help="whose it is")
    new.add_argument(
        "--scope", action="append", choices=SCOPES, help="what it opens; all unless given"
    )
    new.add_argument(
        "--days", type=_days, help="after how many days it expires; never unless given"
    )
    new.set_defaults(run=_new)
    listing = actions.add_parser("list", help="show what is known of the tokens")
    listing.set_defaults(run=_list)
    revoke = actions.add_parser("revoke", help="make a token useless")
    revoke.add_argument("--name", required=True, help="whose it is")
    revoke.set_defaults(run=_revoke)
    for action in (new, listing, revoke):
        action.add_argument("--file", type=Path, help=f"the token file; else {VARIABLE}")


def _new(arguments: argparse.Namespace) -> int:
    path, token = _path(arguments), tokens.generate()
    expires = datetime.now(UTC) + timedelta(days=arguments.days) if arguments.days else None
    with tokens.editing(path) as present:
        if present.named(arguments.name):
            raise SettingsError([f"{path} has a token named {arguments.name}; revoke it first"])
        try:
            kept = tokens.issue(arguments.name, token, arguments.scope or SCOPES, expires)
        except msgspec.ValidationError as error:
            raise SettingsError(["--name takes up to 64 letters, digits, '.', '_', '-'"]) from error
        tokens.write(path, present.plus(kept))
    sys.stdout.write(token + "\n")
    sys.stderr.write("This is shown once; the file keeps a hash of it.\n")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    path = _path(arguments)
    for each in tokens.load(str(path), path).tokens:
        ends = f"expires {each.expires:%Y-%m-%d %H:%M} UTC" if each.expires else "never expires"
        if each.expires and each.expires <= datetime.now(UTC):
            ends = ends.replace("expires", "expired")
        sys.stdout.write(
            f"{each.name:<16} {' '.join(each.scopes):<24} "
            f"made {each.created:%Y-%m-%d %H:%M} UTC, {ends}\n"
        )
    return 0


def _revoke(arguments: argparse.Namespace) -> int:
    path = _path(arguments)
    with tokens.editing(path) as present:
        token = present.named(arguments.name)
        if token is None:
            raise SettingsError([f"{path} has no token named {arguments.name}"])
        tokens.write(path, present.minus(token))
    return 0


def _path(arguments: argparse.Namespace) -> Path:
    if arguments.file is not None:
        return Path(arguments.file)
    named = arguments.environ.get(VARIABLE)
    if not named:
        raise SettingsError([f"which file? Give --file, or set {VARIABLE}"])
    return Path(named)


def _days(text: str) -> int:
    days = int(text)
    if not 0 < days <= MAX_DAYS:
        raise argparse.ArgumentTypeError(f"from 1 to {MAX_DAYS}")
    return days
