"""How old a connection may get."""

import math
from random import Random

from echo.age import Ages


def ages(seconds: float) -> Ages:
    """Return ages of which chance is always the same."""
    return Ages(seconds, Random(1))  # noqa: S311 - a test must repeat itself


def test_connections_live_for_ever_unless_told_otherwise() -> None:
    """0 is off."""
    assert ages(0.0).deadline(5.0) == math.inf


def test_those_that_came_together_do_not_leave_together() -> None:
    """Within a tenth more or less, and spread over all of it."""
    given = ages(100.0)
    deadlines = [given.deadline(1000.0) for _ in range(1000)]
    assert 1090 <= min(deadlines) < 1092
    assert 1108 < max(deadlines) <= 1110


def test_chance_can_be_repeated() -> None:
    """By its seed."""
    assert ages(9.0).deadline(0.0) == ages(9.0).deadline(0.0)
