"""The log level follows what is commanded, and falls back."""

import logging
from collections.abc import Iterator

import pytest

from bellbuoy.commands import Commands
from bellbuoy.host.loglevel import LogLevel
from bellbuoy.scoreboard import Scoreboard


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave the process's level as it was."""
    before = logging.getLogger().level
    yield
    logging.getLogger().setLevel(before)


@pytest.fixture
def commands() -> Commands:
    """As the supervisor makes them."""
    return Scoreboard((), 2).commands


def test_without_a_command_the_level_is_left_alone(commands: Commands) -> None:
    """Somebody may have set it otherwise in this process."""
    logging.getLogger().setLevel(logging.CRITICAL)
    LogLevel(commands, "info").follow()
    assert logging.getLogger().level == logging.CRITICAL


def test_it_changes_when_commanded_and_falls_back_in_time(commands: Commands) -> None:
    """Each process sees both at its next beat."""
    now = [0.0]
    level = LogLevel(commands, "info", clock=lambda: now[0])
    commands.set_level("debug", until=10.0)
    level.follow()
    assert logging.getLogger().level == logging.DEBUG
    now[0] = 10.0
    level.follow()
    assert logging.getLogger().level == logging.INFO


def test_a_new_process_obeys_from_its_first_beat(commands: Commands) -> None:
    """A worker that was replaced, for one."""
    commands.set_level("error")
    LogLevel(commands, "info").follow()
    assert logging.getLogger().level == logging.ERROR
