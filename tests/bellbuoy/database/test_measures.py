"""What the pool counts has fixed labels."""

import pytest

from bellbuoy.database.availability import State
from bellbuoy.database.measures import SCHEMA_READ, UP, Measures, families
from bellbuoy.instruments import Instruments
from bellbuoy.metrics import Layout
from bellbuoy.scoreboard import Scoreboard
from bellbuoy.snapshot import take


def measures(*operations: str) -> Measures:
    """Return measures of their own for ``operations``."""
    return Measures(Instruments(Layout(families(operations))), operations)


def test_every_operation_has_its_duration_the_pools_own_included() -> None:
    """Operations are declared, so that the count of series is known before the fork."""
    assert set(measures("a", "b").durations) == {"a", "b", SCHEMA_READ}


@pytest.mark.parametrize(
    "sqlstate, label",
    [("23505", "23"), ("57014", "57"), ("XX000", "other"), (None, "none")],
)
def test_an_error_is_counted_by_the_class_of_its_sqlstate(sqlstate: str | None, label: str) -> None:
    """A class that nobody expects is ``other``."""
    counted = measures("read")
    counted.error("read", sqlstate).inc()
    same = {"23": "23000", "57": "57P01", "other": "P0001", "none": None}[label]
    assert counted.error("read", same).value == 1


def test_an_undeclared_operation_is_a_mistake() -> None:
    """It would be a label value that nobody declared."""
    with pytest.raises(ValueError, match="tuple"):
        measures("read").error("write", "23505")


@pytest.mark.parametrize(
    "state, told", [(State.UNKNOWN, []), (State.UP, [1.0]), (State.DOWN, [0.0])]
)
def test_who_has_not_asked_claims_no_outage(state: State, told: list[float]) -> None:
    """An alert would name PostgreSQL, where no worker is alive or none has asked yet."""
    board = Scoreboard(families(["read"]), slots=2)
    slot = board.workers[0]
    assert take(board).series(UP.name) == ()
    slot.take(admin=False)
    instruments = slot.instruments()
    Measures(instruments, ["read"]).tell(state)
    instruments.flush()
    assert [series.value for series in take(board).series(UP.name)] == told
