"""What the count of dropped task names is a count of."""

from bellbuoy.monitor import MAX_DROPPED, MAX_NAMES, AsyncMonitor
from bellbuoy.scoreboard import Scoreboard
from bellbuoy.snapshot import take
from bellbuoy.taskmetrics import DROPPED, FAMILIES, TaskExport


def test_a_name_without_a_place_counts_again_in_each_process() -> None:
    """Up to the bound that the metric tells."""
    most = MAX_NAMES + MAX_DROPPED
    assert f"at most {most}," in DROPPED.help
    board = Scoreboard(FAMILIES, slots=3)
    for number, slot in enumerate(board.workers):
        slot.take(admin=False)
        monitor, instruments = AsyncMonitor(), slot.instruments()
        TaskExport(monitor, instruments)
        for name in range(MAX_NAMES):
            monitor.span(f"{number}-{name}")
        for name in range(2 * MAX_DROPPED):
            monitor.span(f"dropped {name}")
        instruments.flush()
    assert take(board).series(DROPPED.name)[0].value == MAX_DROPPED + most
