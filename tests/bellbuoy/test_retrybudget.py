"""A budget bounds what is tried again, whoever asks; time is the test's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellbuoy.retrybudget import BudgetStatistics, RetryBudget


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        """Begin somewhere."""
        self.now = 1000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


def test_retries_are_a_part_of_the_calls() -> None:
    """One in five, when everything fails."""
    budget = RetryBudget(ratio=0.2, minimum=0, clock=Clock())
    granted = 0
    for _ in range(1000):
        budget.call()
        granted += budget.withdraw()
    assert granted == 200
    assert budget.statistics() == BudgetStatistics(1000, 200, 800)


def test_a_rare_caller_may_retry_at_all() -> None:
    """The minimum is granted without any calls, and no more than it."""
    budget = RetryBudget(ratio=0.2, minimum=1, window=10, clock=Clock())
    assert sum(budget.withdraw() for _ in range(100)) == 10


def test_what_is_older_than_the_window_is_forgotten() -> None:
    """Yesterday's calls pay for nothing, and yesterday's retries are forgiven."""
    clock = Clock()
    budget = RetryBudget(ratio=0.5, minimum=0, window=10, clock=clock)
    for _ in range(10):
        budget.call()
    assert sum(budget.withdraw() for _ in range(10)) == 5
    clock.now += 9
    assert not budget.withdraw()
    clock.now += 2
    assert budget.statistics() == BudgetStatistics(0, 0, 6)
    budget.call()
    budget.call()
    assert budget.withdraw()


def test_a_long_silence_forgets_everything() -> None:
    """Longer than the window is as good as new."""
    clock = Clock()
    budget = RetryBudget(clock=clock)
    budget.call()
    clock.now += 1e6
    assert budget.statistics().calls == 0


@pytest.mark.parametrize("wrong", [{"ratio": -1}, {"minimum": -1}, {"window": 0}])
def test_arguments_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    """At once."""
    with pytest.raises(ValueError, match="not negative"):
        RetryBudget(**wrong)  # type: ignore[arg-type]  # none of them is the clock


@given(st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=200))
def test_in_no_window_more_is_granted_than_it_allows(steps: list[tuple[float, bool]]) -> None:
    """Whatever comes when: the last ten slices never hold more than their share."""
    clock = Clock()
    budget = RetryBudget(ratio=0.2, minimum=0.5, window=10, clock=clock)
    for seconds, is_call in steps:
        clock.now += seconds
        if is_call:
            budget.call()
        elif budget.withdraw():
            seen = budget.statistics()
            assert seen.retries <= 0.2 * seen.calls + 5
