"""Secrets: random, made once, kept in files that only their owner reads."""

import secrets
from pathlib import Path

from bellbuoy.settings import read_secret

_BYTES = 32  # 256 bits: nobody guesses it, no rate limit needed


def keep(path: Path) -> str:
    """Return the secret in ``path``; make it first if there is none.

    The file is complete or absent, even if we are killed meanwhile.

    Raises:
        SettingsError: What the file holds can be no secret, to the services neither.
    """
    if path.exists() and path.read_bytes().rstrip(b"\r\n"):
        path.chmod(0o600)
        return read_secret("BUOY_DATA_DIR", path)
    secret = secrets.token_urlsafe(_BYTES)
    write(path, secret)
    return secret


def write(path: Path, secret: str) -> None:
    """Put ``secret`` and a newline into ``path``, mode 0600 from its first moment on."""
    draft = draft_of(path)
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600, exist_ok=False)
    draft.write_text(secret + "\n")
    draft.replace(path)


def draft_of(path: Path) -> Path:
    """Return what a secret's file is called until it is complete."""
    return path.with_name(path.name + ".new")
