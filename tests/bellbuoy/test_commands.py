"""Commands are read by every process, and end by themselves if they were told to."""

import pytest

from bellbuoy.commands import Commands, Level
from bellbuoy.scoreboard import Scoreboard


@pytest.fixture
def commands() -> Commands:
    """As the supervisor makes them."""
    return Scoreboard((), 2).commands


def test_at_first_nothing_is_commanded(commands: Commands) -> None:
    """The settings hold."""
    assert (commands.level(0.0), commands.withdrawn) == (None, False)


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_a_level_holds_until_it_is_taken_back(commands: Commands, level: Level) -> None:
    """However late it is."""
    commands.set_level(level)
    assert commands.level(1e12) == level
    commands.set_level(None)
    assert commands.level(0.0) is None


def test_a_level_ends_when_it_was_told_to(commands: Commands) -> None:
    """Nobody has to remember."""
    commands.set_level("debug", until=100.0)
    assert (commands.level(99.9), commands.level(100.0)) == ("debug", None)
    commands.set_level("error")
    assert commands.level(1e12) == "error"


def test_commands_are_no_part_of_the_rest_of_the_header() -> None:
    """The supervisor's own cells stay as they are."""
    board = Scoreboard((), 2)
    board.supervisor, board.was_open = 7, 1.0
    board.commands.withdrawn = True
    board.commands.set_level("error", 5.0)
    assert (board.supervisor, board.was_open, board.stopping) == (7, 1.0, 0.0)
    board.stopping = 1.0
    assert (board.commands.withdrawn, board.commands.level(0)) == (True, "error")
