"""The access log: one line for requests that are slow, that failed, and for a sample of the rest.

Law of this file: no path, no query, no address: nothing that a client wrote stands in it, except a
request id and a trace id, which are well-formed.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from aiohttp import web

from bellbuoy.host.web.identity import trace
from bellbuoy.ratelimiter import RateLimiter

SLOW = 1.0
"""Seconds after which an answer is worth a line."""

LINES, BURST = 20.0, 200
"""Lines a second, and at once, for what is slow or failed: an outage must not fill the disk."""

OVER = 1.0
"""Seconds without another one after which those that had no line are told by themselves."""

SAMPLED, LATE, FAILED = "request", "slow request", "failed request"

_log = structlog.get_logger("bellbuoy.host.web")


@dataclass(frozen=True, slots=True)
class Answered:
    """What a line tells of a request, besides what it says itself."""

    request_id: str
    route: str
    status: int
    seconds: float
    sent: int


class AccessLog:
    """Writes the lines of one worker.

    Args:
        sample: The share of requests that have a line though nothing is wrong with them: every
            hundredth for 0.01; 0 for none.
        clock: Monotonic seconds.
    """

    def __init__(self, sample: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        """Write nothing yet."""
        self._every = round(1 / sample) if sample > 0 else 0
        self._left = self._every
        self._limiter = RateLimiter(LINES, BURST, keys=1, clock=clock)
        self._clock = clock
        self._suppressed = 0
        self._suppressed_at = 0.0

    def event(self, status: int, seconds: float) -> str | None:
        """Return what a request's line is called, or ``None`` if it has none.

        A refusal is no failure: it is counted, and there may be thousands.
        """
        if seconds > SLOW or (status >= 500 and status != 503):  # noqa: PLR2004
            if self._limiter.decide("").allowed:
                return LATE if seconds > SLOW else FAILED
            self._suppressed += 1
            self._suppressed_at = self._clock()
        elif self._every:
            self._left -= 1
            if self._left <= 0:
                self._left = self._every
                return SAMPLED
        return None

    def write(self, event: str, request: web.BaseRequest, answered: Answered) -> None:
        """Write the line."""
        known = trace(request)
        suppressed, self._suppressed = self._suppressed, 0
        log = _log.info if event is SAMPLED else _log.warning
        log(
            event,
            request_id=answered.request_id,
            method=request.method,
            route=answered.route,
            status=answered.status,
            seconds=round(answered.seconds, 6),
            request_bytes=request.content_length or 0,
            response_bytes=answered.sent,
            **({"trace_id": known.trace_id, "parent_id": known.parent_id} if known else {}),
            **({"suppressed": suppressed} if suppressed else {}),
        )

    def tell(self, *, last: bool = False) -> None:
        """Write how many had no line if no line has told it; call it often, and as the ``last``."""
        if self._suppressed and (last or self._clock() - self._suppressed_at >= OVER):
            _log.warning("slow or failed requests without a line", suppressed=self._suppressed)
            self._suppressed = 0
