"""Escalation: gentle first, certain in the end, shortened by the operator."""

import signal
from signal import SIGINT, SIGKILL, SIGQUIT, SIGTERM

from onebox.escalation import Escalation, Step

SERVICE = (Step(SIGTERM, 40.0), Step(SIGKILL, 5.0))
DATABASE = (Step(SIGINT, 10.0), Step(SIGQUIT, 5.0), Step(SIGKILL, 5.0))


def test_each_step_comes_when_the_one_before_had_its_time() -> None:
    """And the last one is repeated."""
    way = Escalation(DATABASE, now=0.0, presses=1)
    due = {now: way.due(now, 1) for now in (0.0, 9.9, 10.0, 14.9, 15.0, 19.9, 20.0)}
    sent: dict[float, signal.Signals] = {now: number for now, number in due.items() if number}
    assert sent == {0.0: SIGINT, 10.0: SIGQUIT, 15.0: SIGKILL, 20.0: SIGKILL}


def test_a_second_press_repeats_the_signal_and_a_third_goes_on() -> None:
    """Services drain faster at a second SIGTERM; who presses again means it."""
    way = Escalation(SERVICE, now=0.0, presses=1)
    assert [way.due(0.0, 1), way.due(1.0, 1)] == [SIGTERM, None]
    assert [way.due(2.0, 2), way.due(2.1, 2)] == [SIGTERM, None]
    assert [way.due(3.0, 3), way.due(3.1, 3)] == [SIGKILL, None]


def test_presses_from_before_do_not_count() -> None:
    """Impatience with the services is none with the database."""
    way = Escalation(DATABASE, now=0.0, presses=3)
    assert [way.due(0.0, 3), way.due(0.1, 3)] == [SIGINT, None]


def test_all_steps_together_are_the_bound() -> None:
    """The supervisor waits no longer."""
    assert Escalation(DATABASE, now=0.0, presses=0).seconds == 20.0
