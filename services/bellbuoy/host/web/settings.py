"""What every HTTP service on the host understands."""

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from bellbuoy import timeouts
from bellbuoy.gradient import Gradient
from bellbuoy.host.web.forwarded import Forwarded
from bellbuoy.limiter import ConcurrencyLimiter
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
    access_log_sample: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Share of requests that have a line in the log though nothing is wrong "
            "with them; slow and failed ones have one in any case, up to 20 a second and worker.",
        ),
    ] = 0.001
    concurrency_limit: Annotated[
        int,
        Meta(
            ge=1,
            description="Requests of a worker that may ask PostgreSQL at once, at most.",
        ),
    ] = 256
    concurrency_waiting: Annotated[
        int,
        Meta(
            ge=0,
            description="Requests that wait for one of these to end; one more is refused at once.",
        ),
    ] = 64
    concurrency_mode: Annotated[
        Literal["adaptive", "fixed"],
        Meta(
            description="Whether fewer may when that takes longer than it does undisturbed, or "
            "always as many as the limit says."
        ),
    ] = "adaptive"

    @property
    def forwarded(self) -> Forwarded:
        """Who the client of a request is.

        Raises:
            SettingsError: A network is malformed.
        """
        return Forwarded(Networks(self.trusted_proxies, variable("trusted_proxies")))

    def limiter(self, least: int) -> ConcurrencyLimiter:
        """Return what bounds the work that needs something slow, such as PostgreSQL.

        Args:
            least: Pieces of it that can be worked on at once without any queue.
        """
        most = self.concurrency_limit
        adaptive = Gradient(min(least, most), most) if self.concurrency_mode == "adaptive" else None
        return ConcurrencyLimiter(most, self.concurrency_waiting, timeouts.TURN, adaptive=adaptive)
