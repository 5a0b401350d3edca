"""Limits: how often a client may come, told in the RateLimit fields.

The fields are those of draft-ietf-httpapi-ratelimit-headers-10. Each worker counts for itself: a
number shared by all would cost a round trip a request, and several workers allow several times
the rate.
"""

import math
from collections.abc import MutableMapping

from multidict import istr

from bellbuoy import RateLimiter
from bellbuoy.host.web import Problem
from bellbuoy.ratelimiter import Decision

# Names that are folded already cost a third of a plain string.
_POLICY, _STATE = istr("RateLimit-Policy"), istr("RateLimit")

PAUSE = 2.0
"""Seconds of the rate that may come at once."""


class Limit:
    """One policy.

    Args:
        name: What clients see it called.
        rate: Requests a second in the long run; 0 means no limit.
    """

    def __init__(self, name: str, rate: float) -> None:
        """Know nobody yet."""
        burst = max(1, round(rate * PAUSE))
        self._quoted = f'"{name}"'
        self._limiter = RateLimiter(rate, burst) if rate else None
        self._policy = f'"{name}";q={burst};w={math.ceil(burst / rate)}' if rate else ""

    def __bool__(self) -> bool:
        """Return whether there is a limit."""
        return self._limiter is not None

    def admit(self, key: str) -> Decision | None:
        """Count a request, and return what was decided; ``None`` without a limit.

        Raises:
            Problem: 429 with the fields and ``Retry-After``.
        """
        if self._limiter is None:
            return None
        decision = self._limiter.decide(key)
        if decision.allowed:
            return decision
        fields: dict[str, str] = {}
        self.tell(decision, fields)
        fields["Retry-After"] = str(max(1, math.ceil(decision.retry_after)))
        raise Problem(429, "Too many requests; come back later.", fields)

    def tell(self, decision: Decision | None, headers: MutableMapping[str, str]) -> None:
        """Tell a client where it stands."""
        if decision is not None:
            headers[_POLICY] = self._policy
            reset = math.ceil(decision.reset)
            headers[_STATE] = f"{self._quoted};r={decision.remaining};t={reset}"
