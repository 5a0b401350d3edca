"""What every HTTP service on the host understands."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from bellbuoy.host.web.forwarded import Forwarded
from bellbuoy.networks import Networks
from bellbuoy.settings import Settings, variable


@dataclass(frozen=True, kw_only=True)
class WebSettings(Settings):
    """How requests are taken and told."""

    trusted_proxies: Annotated[
        str,
        Meta(
            description="Networks, separated by commas, whose Forwarded and X-Forwarded-For fields "
            "are believed. Empty believes nobody: the client is whoever connects."
        ),
    ] = ""

    @property
    def forwarded(self) -> Forwarded:
        """Who the client of a request is.

        Raises:
            SettingsError: A network is malformed.
        """
        return Forwarded(Networks(self.trusted_proxies, variable("trusted_proxies")))
