"""The development token: what the person at this machine asks the api with."""

from pathlib import Path

from bellbuoy import tokens

NAME = "dev"
SCOPES = ("users:read", "users:write")


def register(path: Path, token: str) -> None:
    """See to it that the token file ``path`` knows ``token``; tokens of other names stay.

    Raises:
        SettingsError: There is something else in the file.
    """
    with tokens.editing(path) as present:
        known = present.named(NAME)
        if known is not None and known.sha256 == tokens.digest(token):
            return
        others = present.minus(known) if known else present
        tokens.write(path, others.plus(tokens.issue(NAME, token, SCOPES)))
