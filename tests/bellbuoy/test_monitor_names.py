"""However many names AsyncMonitor is given, it keeps a bounded number of them."""

from bellbuoy.metrics import OTHER
from bellbuoy.monitor import MAX_DROPPED, MAX_NAMES, AsyncMonitor
from bellbuoy.names import VALUE_BYTES
from tests.bellbuoy.monitoring import monitor, of

__all__ = ["monitor"]


def test_names_beyond_the_bound_are_other(monitor: AsyncMonitor) -> None:
    """They are counted together, and how many they were is known."""
    for number in range(MAX_NAMES + 3):
        for _ in range(2):
            with monitor.span(str(number)):
                pass
    stats = monitor.get_stats()
    assert len(stats.tasks) == MAX_NAMES + 1
    assert of(monitor, "0") == {"completed": 2}
    assert of(monitor, OTHER) == {"completed": 6}
    assert stats.dropped_names == 3


def test_strange_names_are_bounded_like_others(monitor: AsyncMonitor) -> None:
    """A name that is shown as one already known is that one, also when all places are taken."""
    for number in range(MAX_NAMES):
        monitor.span(f"{number}?")
    for number in range(MAX_NAMES):
        monitor.span(f"{number}\udcff")
    assert len(monitor.get_stats().tasks) == MAX_NAMES
    assert monitor.get_stats().dropped_names == 0


def test_the_memory_of_dropped_names_is_bounded(monitor: AsyncMonitor) -> None:
    """A name in every request fills nothing."""
    for number in range(20 * MAX_NAMES):
        monitor.span(str(number))
    assert monitor.get_stats().dropped_names == MAX_DROPPED


def test_a_name_is_cut_to_what_all_processes_share(monitor: AsyncMonitor) -> None:
    """A whole document for a name fills nothing; a character is not cut in two."""
    for _ in range(2):
        with monitor.span("ä" * 1_000_000):
            pass
    monitor.span("x" + "ä" * 1_000_000)
    first, second = monitor.get_stats().tasks
    assert (first, second) == ("ä" * (VALUE_BYTES // 2), "x" + "ä" * (VALUE_BYTES // 2 - 1))
    assert of(monitor, first) == {"completed": 2}


async def test_a_task_counted_as_other_keeps_its_name(monitor: AsyncMonitor) -> None:
    """In asyncio's messages it is still itself."""
    for number in range(MAX_NAMES):
        monitor.span(str(number))

    async def work() -> None: ...

    task = monitor.create_task(work(), name="late")
    await task
    assert task.get_name() == "late"
    assert monitor.get_stats().tasks[OTHER].started == 1
