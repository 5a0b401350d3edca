"""Bellbuoy: what an asyncio service needs in production.

Importing this package loads no driver, no web framework and no process manager;
``bellbuoy.database`` and ``bellbuoy.host`` do.
"""

from bellbuoy.limiter import ConcurrencyLimiter
from bellbuoy.monitor import AsyncMonitor
from bellbuoy.ratelimiter import RateLimiter
from bellbuoy.retry import async_retry
from bellbuoy.retrybudget import RetryBudget

__all__ = [
    "AsyncMonitor",
    "ConcurrencyLimiter",
    "RateLimiter",
    "RetryBudget",
    "__version__",
    "async_retry",
]

__version__ = "0.1.0"
