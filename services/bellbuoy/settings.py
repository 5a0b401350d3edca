"""Settings: typed, frozen, read once from the environment by a composition root.

Law of this file: one field is one variable (``BUOY_`` + the field's name in capitals), its
default stands here or in the service's own settings and nowhere else, and a reader of the
environment learns of all problems at once.
"""

import dataclasses
import difflib
import math
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from bellbuoy import timeouts
from bellbuoy.errors import SettingsError
from bellbuoy.variables import VARIABLES

PREFIX = "BUOY_"

SECRET_BYTES = 4096
"""Longer is no secret but a wrong file; what is read of it is bounded."""

Port = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[float, Meta(gt=0)]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The base of every settings class; fields are read by :func:`load`."""


S = TypeVar("S", bound=Settings)


@dataclass(frozen=True, kw_only=True)
class LogSettings(Settings):
    """What every program that logs understands."""

    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="Least severe event that is logged."),
    ] = "info"


@dataclass(frozen=True, kw_only=True)
class HostSettings(LogSettings):
    """What every service on the host understands."""

    host: Annotated[
        str,
        Meta(
            min_length=1,
            description="Address the service listens on; `::` takes IPv4 as well; `unix:` and a "
            "path is a unix socket, and the port is ignored.",
        ),
    ] = "127.0.0.1"
    admin_host: Annotated[
        str,
        Meta(
            min_length=1,
            description="Address of the admin port: loopback or an internal network, never public.",
        ),
    ] = "127.0.0.1"
    admin_names: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9._-]*(,[A-Za-z0-9._-]+)*$",
            description="Host names, separated by commas, by which the admin port is reached, "
            "beside addresses, names without a dot and those that nobody can register "
            "(`.svc`, `.internal`, `.local` ...). Others are refused: a web page may have them.",
        ),
    ] = ""
    admin_token_file: Annotated[
        Path | None,
        Meta(
            description="File with the bearer token for writing on the admin port (log level, "
            "readiness); without it nothing can be written there."
        ),
    ] = None
    workers: Annotated[
        int,
        Meta(
            ge=0,
            le=64,
            description="Traffic worker processes; 0 means one for each CPU this process may use.",
        ),
    ] = 0
    loop: Annotated[
        Literal["uvloop", "asyncio"], Meta(description="Event loop of every process.")
    ] = "uvloop"
    backlog: Annotated[
        int,
        Meta(
            ge=1,
            le=65535,
            description="Connections the kernel queues for accept; capped by net.core.somaxconn.",
        ),
    ] = 4096
    max_connections: Annotated[
        int,
        Meta(
            ge=1,
            description="Connections a worker holds at once; lowered to what its file descriptors "
            "allow. One more is closed at once and counted.",
        ),
    ] = 10_000
    max_connections_per_peer: Annotated[
        int,
        Meta(
            ge=0,
            description="Connections a worker holds from one address at once; 0 means no limit. "
            "Behind a load balancer all clients may have the same one.",
        ),
    ] = 0
    drain_delay_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=60,
            description="How long a stopping service goes on accepting, so that load balancers "
            "notice first. 10 in Kubernetes.",
        ),
    ] = 0.0
    drain_timeout_seconds: Annotated[
        float,
        Meta(ge=0.1, le=600, description="How long work in flight may take after the last accept."),
    ] = timeouts.DRAIN
    loop_blocked_seconds: Annotated[
        float,
        Meta(
            ge=0.05,
            le=600,
            description="An event loop that is late by so much is blocked: it is counted, and the "
            "stack of what blocks it is logged.",
        ),
    ] = 0.5
    revision: Annotated[
        str,
        Meta(
            max_length=80,
            description="What was built, such as a commit; shown in `bellbuoy_build_info`. "
            "Images carry it.",
        ),
    ] = "unknown"
    watchdog_seconds: Annotated[
        float,
        Meta(ge=2, le=600, description="A worker that shows no sign of life for so long dies."),
    ] = 30.0


@dataclass(frozen=True, kw_only=True)
class EchoPorts(Settings):
    """Where the echo service listens."""

    echo_port: Annotated[Port, Meta(description="TCP port of the echo service.")] = 8888
    echo_admin_port: Annotated[Port, Meta(description="Admin port of the echo service.")] = 9888


@dataclass(frozen=True, kw_only=True)
class ApiPorts(Settings):
    """Where the api listens."""

    api_port: Annotated[Port, Meta(description="HTTP port of the api.")] = 8080
    api_admin_port: Annotated[Port, Meta(description="Admin port of the api.")] = 9080


@dataclass(frozen=True, kw_only=True)
class PoolSettings(Settings):
    """How much of PostgreSQL a worker takes."""

    db_pool_size: Annotated[
        int,
        Meta(ge=1, le=100, description="Database connections that one worker opens at most."),
    ] = 5


def variable(field: str) -> str:
    """Return the environment variable of a field."""
    return PREFIX + field.upper()


def load(cls: type[S], environ: Mapping[str, str]) -> S:
    """Read every field of ``cls`` from ``environ``; an absent variable is its default.

    Raises:
        SettingsError: One line for each variable that is absent without a default, malformed
            or out of bounds.
    """
    types = typing.get_type_hints(cls, include_extras=True)
    values: dict[str, Any] = {}
    problems: list[str] = []
    for field in dataclasses.fields(cls):
        name = variable(field.name)
        if name in environ:
            try:
                values[field.name] = _convert(environ[name], types[field.name])
            except msgspec.ValidationError as error:
                problems.append(f"{name}={environ[name]!r}: {_explain(error, types[field.name])}")
        elif field.default is field.default_factory is dataclasses.MISSING:
            problems.append(f"{name}: required and not set")
    if problems:
        raise SettingsError(problems)
    return cls(**values)


def unknown(cls: type[Settings], environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a warning for each ``BUOY_`` variable that no program reads.

    It is a warning because a newer ConfigMap must not stop an older image. A variable of another
    program is no mistake of this one: a shared ConfigMap may hold both.
    """
    known = VARIABLES | {variable(field.name) for field in dataclasses.fields(cls)}
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=1)
            yield f"{name} is not a setting" + (f"; did you mean {near[0]}?" if near else "")


def read_secret(name: str, path: Path) -> str:
    """Return the secret that the file ``path`` holds, without its trailing newline.

    Args:
        name: The variable that named the file, for the message.
        path: A small text file.

    Raises:
        SettingsError: The file is absent, unreadable, empty, too large or not UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = file.read(SECRET_BYTES + 1)
    except OSError as error:
        raise SettingsError([f"{name}: cannot read {path}: {error.strerror}"]) from error
    if len(content) > SECRET_BYTES:
        raise SettingsError([f"{name}: {path} holds more than {SECRET_BYTES} bytes"])
    try:
        secret = content.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise SettingsError([f"{name}: {path} is not UTF-8 text"]) from error
    if not secret:
        raise SettingsError([f"{name}: {path} is empty"])
    return secret


def _convert(text: str, annotated: Any) -> Any:
    try:
        value = msgspec.convert(text, annotated, strict=False, dec_hook=_decode_path)
        if isinstance(value, str):
            value.encode()
    except UnicodeEncodeError as error:
        # os.environ holds bytes that are not UTF-8 as surrogates; only a path may have them.
        raise msgspec.ValidationError("Expected UTF-8 text") from error
    if isinstance(value, float) and not math.isfinite(value):
        raise msgspec.ValidationError("Expected a finite number")
    return value


def _explain(error: msgspec.ValidationError, annotated: Any) -> str:
    kind = typing.get_args(annotated)[0] if typing.get_origin(annotated) is Annotated else annotated
    if typing.get_origin(kind) is Literal:
        return "expected one of " + ", ".join(map(str, typing.get_args(kind)))
    # All variables are strings; that this one was, too, explains nothing.
    return str(error).removesuffix(", got `str`")


def _decode_path(target: type, value: object) -> object:
    if target is Path and isinstance(value, str) and value:
        return Path(value)
    raise ValueError("Expected a path")
