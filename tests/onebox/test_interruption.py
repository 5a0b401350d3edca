"""Interruption: handlers count, code decides."""

import os
import signal
from collections.abc import Iterator

import pytest

from onebox.interruption import SIGNALS, Interrupted, StopRequest


@pytest.fixture
def stop() -> Iterator[StopRequest]:
    """A stop request that listens, for this test only."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    request = StopRequest()
    request.listen()
    yield request
    for number, handler in before.items():
        signal.signal(number, handler)


def test_nobody_asked(stop: StopRequest) -> None:
    """Then nothing is raised."""
    stop.check()


def test_nohup_is_respected() -> None:
    """Who started it so wants it to outlive the terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    others = {number: signal.getsignal(number) for number in SIGNALS[:2]}
    try:
        StopRequest().listen()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        for number, handler in {signal.SIGHUP: before, **others}.items():
            signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_noticed_where_it_is_asked_for(
    stop: StopRequest, number: signal.Signals
) -> None:
    """The handler itself raises nothing."""
    os.kill(os.getpid(), number)
    assert stop.count == 1
    with pytest.raises(Interrupted):
        stop.check()
