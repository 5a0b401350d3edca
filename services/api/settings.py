"""The api's settings."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from bellbuoy.database.settings import DatabaseSettings
from bellbuoy.host.web import WebSettings
from bellbuoy.settings import ApiPorts, HostSettings, LogSettings


@dataclass(frozen=True, kw_only=True)
class ApiSettings(HostSettings, ApiPorts, WebSettings, DatabaseSettings):
    """What ``python -m api`` understands."""

    api_tokens_file: Annotated[
        Path,
        Meta(
            description="File with the hashes of the bearer tokens that the users routes ask for; "
            "read again when it changes. `bellbuoy token` writes it."
        ),
    ]
    api_token_rate: Annotated[
        float,
        Meta(
            ge=0,
            le=1e6,
            description="Requests a second that one token may make of one worker in the long run; "
            "twice as many may come at once. 0 means no limit.",
        ),
    ] = 10_000.0
    api_address_rate: Annotated[
        float,
        Meta(
            ge=0,
            le=1e6,
            description="Requests for users a second that one address (of IPv6 a /64) may make of "
            "one worker in the long run; twice as many may come at once. 0 means no limit.",
        ),
    ] = 10_000.0
    api_greeting_rate: Annotated[
        float,
        Meta(
            ge=0,
            le=1e6,
            description="Greetings a second that one address may ask of one worker in the long "
            "run; twice as many may come at once. 0 means no limit.",
        ),
    ] = 0.0


@dataclass(frozen=True, kw_only=True)
class JobSettings(DatabaseSettings, LogSettings):
    """What ``python -m api migrate`` and ``python -m api seed`` understand."""
