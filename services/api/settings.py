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


@dataclass(frozen=True, kw_only=True)
class JobSettings(DatabaseSettings, LogSettings):
    """What ``python -m api migrate`` and ``python -m api seed`` understand."""
