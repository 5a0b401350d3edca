"""What trying again is counted as; ``async_retry`` itself needs none of it."""

from collections.abc import Callable, Sequence

from bellbuoy.instruments import Instruments
from bellbuoy.metrics import Family, counter
from bellbuoy.retry import OUTCOMES, Attempt

BUDGET_EXHAUSTED = counter(
    "retry_budget_exhausted_total", "Retries not made because the dependency bears no more."
)


def families(operations: Sequence[str]) -> tuple[Family, ...]:
    """Return the metric families for what is tried again under these names."""
    return (_attempts(operations), BUDGET_EXHAUSTED)


class RetryMeasures:
    """Counts attempts, by operation; what it counts into has the :func:`families`."""

    def __init__(self, instruments: Instruments, operations: Sequence[str]) -> None:
        """Count into ``instruments``."""
        family = _attempts(operations)
        self._counters = {
            (name, outcome): instruments.counter(family, operation=name, outcome=outcome)
            for name in operations
            for outcome in OUTCOMES
        }
        self._budget = instruments.counter(BUDGET_EXHAUSTED)

    def observer(self, operation: str) -> Callable[[Attempt], None]:
        """Return what ``async_retry`` takes as ``observe``."""

        def observe(attempt: Attempt) -> None:
            self._counters[operation, attempt.outcome].inc()
            if attempt.outcome == "no_budget":
                self._budget.inc()

        return observe


def _attempts(operations: Sequence[str]) -> Family:
    return counter(
        "retry_attempts_total",
        "Attempts of what is tried again, by how they ended.",
        labels={"operation": tuple(operations), "outcome": OUTCOMES},
    )
