"""Ours runs in the bench as it runs anywhere."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

from bench.api.contestants import ours
from bench.api.postgres import Postgres


def test_nothing_of_ours_is_switched_off(tmp_path: Path) -> None:
    """The access log is sampled and written, to a file; so nobody's terminal is measured."""
    database = cast("Postgres", SimpleNamespace(environ=dict))
    contestant = ours(tmp_path, database).contestant
    assert not [name for name in contestant.environment if "LOG" in name]
    assert contestant.log is not None
    assert contestant.log.parent == tmp_path
