"""When the next worker is forked: at once, unless they keep dying young."""

from bellbuoy.host.respawn import FIRST, LONGEST, QUICK, Respawn

YOUNG, OLD = QUICK / 2, QUICK * 2


def delays(*lives: float) -> list[float]:
    """Return how long nobody may be forked after each death; all happen at time 100."""
    respawn = Respawn()
    seen = []
    for lived in lives:
        respawn.died(lived, 100.0)
        steps = [0.0, FIRST, 2 * FIRST, 4 * FIRST, LONGEST]
        seen.append(next(step for step in steps if respawn.may_spawn(100.0 + step)))
    return seen


def test_the_first_worker_is_forked_at_once() -> None:
    """Nobody died yet."""
    assert Respawn().may_spawn(0.0)


def test_a_killed_worker_is_replaced_at_once() -> None:
    """One death, at whatever age, is an accident; so are many at a proper age."""
    assert delays(YOUNG) == [0.0]
    assert delays(OLD, OLD, OLD) == [0.0, 0.0, 0.0]


def test_workers_that_keep_dying_young_wait_longer_and_longer() -> None:
    """The pause doubles up to two seconds and stays there."""
    assert delays(*[YOUNG] * 7) == [0.0, 0.25, 0.5, 1.0, 2.0, 2.0, 2.0]


def test_a_worker_that_lived_ends_the_series() -> None:
    """The next young death is the first again."""
    respawn = Respawn()
    for lived in (YOUNG, YOUNG, OLD):
        respawn.died(lived, 0.0)
    assert respawn.young_deaths == 0
    respawn.died(YOUNG, 50.0)
    assert respawn.may_spawn(50.0)


def test_it_backs_off_for_days() -> None:
    """Two seconds a death, however many there were: a power of their number would overflow."""
    respawn = Respawn()
    for number in range(100_000):
        respawn.died(0.1, now=2.0 * number)
    assert not respawn.may_spawn(2.0 * number + LONGEST - 0.01)
    assert respawn.may_spawn(2.0 * number + LONGEST)
