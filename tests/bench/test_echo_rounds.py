"""What is said of several rounds: the median, and the worst where one is too many."""

from bench.echo.rounds import Figures, alternate, gather, summary


def test_a_figure_is_the_median_of_its_rounds() -> None:
    """One disturbed round moves nothing."""
    rounds = gather([{"rate": 10.0}, {"rate": 900.0}, {"rate": 11.0}])
    assert rounds == {"rate": [10.0, 900.0, 11.0]}
    assert summary(rounds) == {"rate": 11.0}


def test_what_is_lost_in_one_round_is_lost() -> None:
    """A median would hide it."""
    rounds = {"lost": [0.0, 3.0, 0.0], "served": [5.0, 2.0, 5.0]}
    assert summary(rounds, {"lost": max, "served": min}) == {"lost": 3.0, "served": 2.0}


def test_contestants_take_turns() -> None:
    """Each is measured once before any is measured again."""
    turns = list[str]()

    def turn(name: str) -> Figures:
        turns.append(name)
        return {"turn": len(turns)}

    seen = alternate({name: lambda name=name: turn(name) for name in ("a", "b")}, 3)  # type: ignore[misc]
    assert turns == ["a", "b", "a", "b", "a", "b"]
    assert seen == {"a": {"turn": [1, 3, 5]}, "b": {"turn": [2, 4, 6]}}
