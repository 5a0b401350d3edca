"""Tokens: the bearer tokens of a service, of which a file keeps the hashes.

Law of this file: a token is 256 random bits, seen once by whoever asks for it; what is kept is
its SHA-256. So many random bits need no slow hash, and looking a digest up in a table tells
nobody how much of a guess was right. The file is replaced as a whole, by one writer at a time.

::

    {"tokens": [{"name": "dev", "sha256": "…", "scopes": ["users:read"], "created": "…"}]}
"""

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from bellbuoy.errors import SettingsError

MAX_BYTES = 1 << 20
"""Bytes of a token file: some thousand tokens; what is read of it is bounded."""

_BITS = 256

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}\Z")]
Scope = Annotated[str, Meta(pattern=r"^[a-z0-9:._-]{1,64}\Z")]
Moment = Annotated[datetime, Meta(tz=True)]


class Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is kept of one token.

    Args:
        name: Whose it is, for people.
        sha256: The digest of the token, in hexadecimal.
        scopes: What it opens.
        created: When it was made.
        expires: From when on it opens nothing; ``None`` is never.
    """

    name: Name
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    scopes: tuple[Scope, ...]
    created: Moment
    expires: Moment | None = None


class Tokens(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The contents of a token file."""

    tokens: tuple[Token, ...] = ()

    def named(self, name: str) -> Token | None:
        """Return the token of this name."""
        return next((each for each in self.tokens if each.name == name), None)

    def plus(self, token: Token) -> "Tokens":
        """Return these and one more."""
        return Tokens((*self.tokens, token))

    def minus(self, token: Token) -> "Tokens":
        """Return these but for one."""
        return Tokens(tuple(each for each in self.tokens if each != token))


_decoder = msgspec.json.Decoder(Tokens)
_encoder = msgspec.json.Encoder()


def generate() -> str:
    """Return a new token."""
    return secrets.token_urlsafe(_BITS // 8)


def digest(token: str) -> str:
    """Return what is kept of a token."""
    # What is no UTF-8 came as surrogates.
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()


def issue(name: str, token: str, scopes: Sequence[str], expires: datetime | None = None) -> Token:
    """Return what is to be kept of ``token``.

    Raises:
        msgspec.ValidationError: The name or a scope is not spelt like one.
    """
    kept = Token(name, digest(token), tuple(scopes), datetime.now(UTC), expires)
    return msgspec.convert(msgspec.to_builtins(kept), Token)


def load(variable: str, path: Path) -> Tokens:
    """Read a token file.

    Args:
        variable: The variable that named the file, for the message.
        path: The file.

    Raises:
        SettingsError: It cannot be read (then an ``OSError`` is its cause), or is no token file.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SettingsError([f"{variable}: cannot read {path}: {error.strerror}"]) from error
    if len(content) > MAX_BYTES:
        raise SettingsError([f"{variable}: {path} holds more than {MAX_BYTES} bytes"])
    try:
        tokens = _decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # Neither quotes the file: what was put there by mistake may be a secret.
        raise SettingsError([f"{variable}: {path} is no token file: {_where(error)}"]) from error
    if len({each.name for each in tokens.tokens}) < len(tokens.tokens):
        raise SettingsError([f"{variable}: {path} has two tokens of one name"])
    return tokens


@contextmanager
def editing(path: Path) -> Iterator[Tokens]:
    """Yield what the file holds, and keep every other writer out until the block ends.

    A file that is not there holds no tokens.

    Raises:
        SettingsError: It is no token file, or its folder cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Beside the file, which is replaced while the lock is held.
        lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise SettingsError([f"cannot write {error.filename}: {error.strerror}"]) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield load(str(path), path) if path.exists() else Tokens()
    finally:
        os.close(lock)


def write(path: Path, tokens: Tokens) -> None:
    """Replace the file at once; call it within :func:`editing`.

    A new file is its owner's alone; one that is there keeps its owner and mode, because a
    container may read it as somebody else.
    """
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a path would be opened with another mode
        file.write(msgspec.json.format(_encoder.encode(tokens), indent=2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
        if path.exists():
            before = path.stat()
            if os.geteuid() == 0:
                os.fchown(file.fileno(), before.st_uid, before.st_gid)
            os.fchmod(file.fileno(), before.st_mode & 0o777)
    draft.replace(path)
    # Without this a power cut may bring a revoked token back.
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _where(error: Exception) -> str:
    """Return the place of a mistake, as far as it can be told without quoting the file."""
    _, marker, place = str(error).rpartition(" - at ")
    return f"wrong at {place}" if marker else "not the JSON that `bellbuoy token new` writes"
