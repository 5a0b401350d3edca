"""AsyncMonitor counts a block of code like a call."""

import pytest

from bellbuoy.monitor import AsyncMonitor, Span
from tests.bellbuoy.monitoring import monitor, of

__all__ = ["monitor"]


def test_a_span_is_counted_like_a_call(monitor: AsyncMonitor) -> None:
    """It gives itself to its body."""
    with monitor.span("work") as span:
        assert isinstance(span, Span)
        assert of(monitor) == {"running": 1}
    assert of(monitor) == {"completed": 1}


def test_a_span_can_be_used_again(monitor: AsyncMonitor) -> None:
    """One after the other."""
    span = monitor.span("work")
    for _ in range(3):
        with span:
            pass
    assert of(monitor) == {"completed": 3}


def test_spans_of_one_name_nest(monitor: AsyncMonitor) -> None:
    """Each has its own start."""
    with monitor.span("work"), monitor.span("work"):
        assert of(monitor) == {"running": 2}
    assert of(monitor) == {"completed": 2}


def test_a_running_span_cannot_be_entered_again(monitor: AsyncMonitor) -> None:
    """The mistake is told at once and spoils no count."""
    with monitor.span("work") as span:
        with pytest.raises(RuntimeError, match="span work runs already"):
            span.__enter__()
        assert of(monitor) == {"running": 1}
    assert of(monitor) == {"completed": 1}
