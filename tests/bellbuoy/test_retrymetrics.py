"""Every attempt is counted, under its operation and its outcome."""

import pytest

from bellbuoy import RetryBudget, async_retry
from bellbuoy.instruments import Instruments
from bellbuoy.metrics import Layout
from bellbuoy.retry import OUTCOMES
from bellbuoy.retrymetrics import BUDGET_EXHAUSTED, RetryMeasures, families

ATTEMPTS = families(["fetch"])[0]


def counted(instruments: Instruments) -> dict[str, float]:
    """Return what was counted for ``fetch``, by outcome, without what was not."""
    values = {
        outcome: instruments.counter(ATTEMPTS, operation="fetch", outcome=outcome).value
        for outcome in OUTCOMES
    }
    return {outcome: value for outcome, value in values.items() if value}


async def test_attempts_are_counted_by_outcome() -> None:
    """A refusal by the budget has a counter of its own besides, for the alert."""
    instruments = Instruments(Layout(families(["fetch"])))
    measures = RetryMeasures(instruments, ["fetch"])
    failures = iter([True, False, True])

    @async_retry(
        delay=0,
        on=ConnectionError,
        budget=RetryBudget(ratio=0, minimum=0.1),
        observe=measures.observer("fetch"),
    )
    async def fetch() -> str:
        if next(failures):
            raise ConnectionError
        return "something"

    assert await fetch() == "something"
    with pytest.raises(ConnectionError):
        await fetch()
    assert counted(instruments) == {"retried": 1, "succeeded": 1, "no_budget": 1}
    assert instruments.counter(BUDGET_EXHAUSTED).value == 1
