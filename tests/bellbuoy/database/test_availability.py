"""The circuit: opened by an outage, closed by the watch, misled by neither latecomer."""

from bellbuoy.database.availability import Availability, State


def state(circuit: Availability) -> State:
    """Return the state as it is now; a type checker remembers what an attribute was."""
    return circuit.state


def test_nothing_is_known_until_somebody_asks() -> None:
    """UNKNOWN lets everybody try, and the first answer is news."""
    circuit = Availability()
    assert state(circuit) is State.UNKNOWN
    assert circuit.answered()
    assert not circuit.answered()
    assert state(circuit) is State.UP


def test_an_outage_is_news_once() -> None:
    """The first failure opens the circuit; the others find it open."""
    circuit = Availability()
    assert circuit.failed(circuit.epoch)
    assert not circuit.failed(circuit.epoch)
    assert state(circuit) is State.DOWN


def test_an_answer_does_not_end_an_outage() -> None:
    """It was on its way already; only the watch has asked since."""
    circuit = Availability()
    circuit.failed(circuit.epoch)
    assert not circuit.answered()
    assert state(circuit) is State.DOWN
    assert circuit.recovered()
    assert state(circuit) is State.UP


def test_a_failure_from_before_the_recovery_is_no_outage() -> None:
    """A statement that waited in a black hole times out when all is well again."""
    circuit = Availability()
    asked = circuit.epoch
    circuit.failed(asked)
    circuit.recovered()
    assert not circuit.failed(asked)
    assert state(circuit) is State.UP
    assert circuit.failed(circuit.epoch)


def test_a_recovery_is_news_once() -> None:
    """The epoch counts recoveries, not looks."""
    circuit = Availability()
    circuit.failed(circuit.epoch)
    epoch = circuit.epoch
    assert circuit.recovered()
    assert not circuit.recovered()
    assert circuit.epoch == epoch + 1
