"""The composition root of the ``bellbuoy`` command."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any, Protocol

from bellbuoy import __version__, startup
from bellbuoy.cli import budget, tasks, token
from bellbuoy.errors import BellbuoyError


class Word(Protocol):
    """What a module of this package offers."""

    def add(self, commands: "argparse._SubParsersAction[Any]") -> None:
        """Declare the word's arguments; its parser's default ``run`` is what does it."""


WORDS: tuple[Word, ...] = (budget, tasks, token)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one word and return the exit status; what somebody must mend is one block of text."""
    chosen = _parser().parse_args(arguments, argparse.Namespace(environ=os.environ))
    try:
        return chosen.run(chosen)  # type: ignore[no-any-return]  # a Word's
    except BellbuoyError as error:
        sys.stderr.write(f"bellbuoy: {error}\n")
        return startup.exit_status(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bellbuoy", description="Look after Bellbuoy services.")
    parser.add_argument("--version", action="version", version=f"bellbuoy {__version__}")
    commands = parser.add_subparsers(dest="word", metavar="word", required=True)
    for word in WORDS:
        word.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
