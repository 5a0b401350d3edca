"""Secrets: random, made once, kept in files that only their owner reads."""

import secrets
from pathlib import Path

_BYTES = 32  # 256 bits: nobody guesses it, no rate limit needed


def keep(path: Path) -> str:
    """Return the secret in ``path``; make it first if there is none.

    The file is complete or absent, even if we are killed meanwhile.
    """
    if path.exists() and (secret := path.read_text().strip()):
        path.chmod(0o600)
        return secret
    secret = secrets.token_urlsafe(_BYTES)
    write(path, secret)
    return secret


def write(path: Path, secret: str) -> None:
    """Put ``secret`` and a newline into ``path``, mode 0600 from its first moment on."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600, exist_ok=False)
    draft.write_text(secret + "\n")
    draft.replace(path)
