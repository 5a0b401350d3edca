"""The echo service's settings."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from bellbuoy.settings import EchoPorts, HostSettings


@dataclass(frozen=True, kw_only=True)
class EchoSettings(HostSettings, EchoPorts):
    """What ``python -m echo`` reads from the environment."""

    echo_idle_timeout_seconds: Annotated[
        float,
        Meta(ge=0.1, description="A connection on which nothing moved for so long is closed."),
    ] = 300.0
    echo_write_timeout_seconds: Annotated[
        float,
        Meta(ge=0.1, description="A client that reads nothing of what waits for so long is cut."),
    ] = 30.0
    echo_write_buffer_bytes: Annotated[
        int,
        Meta(
            ge=1024,
            le=64 * 1024 * 1024,
            description="Unsent bytes of one connection at which reading from it stops; it goes "
            "on at a quarter.",
        ),
    ] = 256 * 1024
