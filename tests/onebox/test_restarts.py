"""Restarts: patient with one death, done with a series."""

from onebox.restarts import Restarts


def test_quick_deaths_wait_longer_each_time_and_then_give_up() -> None:
    """Five starts spread over eight seconds, then the end."""
    restarts = Restarts()
    assert [restarts.after(0.1) for _ in range(6)] == [0.25, 0.5, 1.0, 2.0, 4.0, None]


def test_a_part_that_lived_for_a_while_starts_afresh() -> None:
    """Killing it once an hour never ends the stack."""
    restarts = Restarts()
    for _ in range(4):
        restarts.after(0.1)
    assert [restarts.after(60.0), restarts.after(0.1)] == [0.25, 0.5]
