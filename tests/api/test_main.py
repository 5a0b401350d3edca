"""The commands."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from onebox import roles
from tests.postgres import Database, database, postgres
from tests.repository.tree import ROOT

__all__ = ["database", "postgres"]


def api(*arguments: str, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run ``python -m api``; nothing but ``environ`` says where anything is."""
    inherited = {name: value for name, value in os.environ.items() if name[:5] != "BUOY_"}
    return subprocess.run(
        [sys.executable, "-m", "api", *arguments],
        cwd=ROOT,
        env={**inherited, "PYTHONPATH": "services", **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.slow
def test_migrate_and_seed_say_what_they_did(database: Database) -> None:
    """And do it once."""
    environ = database.environ(roles.OWNER) | {"BUOY_WORKRES": "1"}
    runs = [
        api(*command, environ=environ)
        for command in (
            ["migrate"],
            ["migrate"],
            ["seed", "--users", "7"],
            ["seed", "--users", "7"],
        )
    ]
    assert {(run.returncode, run.stdout) for run in runs} == {(0, "")}
    events = [[json.loads(line) for line in run.stderr.splitlines()] for run in runs]
    warned = {each.pop(0)["detail"] for each in events}
    assert warned == {"BUOY_WORKRES is not a setting; did you mean BUOY_WORKERS?"}
    told = [[event["message"] for event in each] for each in events]
    up_to_date = "schema is up to date"
    seeded = ["demo users added"]
    assert told == [
        ["migration applied", "migration applied", up_to_date],
        [up_to_date],
        seeded,
        seeded,
    ]
    assert events[0][0]["migration"] == "0001_users"
    assert events[0][2]["schema"] == 2
    assert [events[2][0]["added"], events[3][0]["added"]] == [7, 0]


@pytest.mark.slow
def test_what_an_operator_must_mend_is_one_block_of_text() -> None:
    """A status of its own, every problem at once, no traceback."""
    serve = api(environ={"BUOY_API_PORT": "http"})
    assert serve.returncode == 78
    assert {line.removeprefix("api: ").split(":")[0] for line in serve.stderr.splitlines()} == {
        "BUOY_API_PORT='http'",
        "BUOY_DB_PASSWORD_FILE",
        "BUOY_API_TOKENS_FILE",
    }


@pytest.mark.slow
def test_a_role_that_may_not_migrate_is_told_so(database: Database) -> None:
    """The role that serves."""
    run = api("migrate", environ=database.environ(roles.APP))
    assert run.returncode == 1
    assert "may not change the schema" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.slow
@pytest.mark.parametrize("count", ["0", "many"])
def test_a_count_that_is_none_is_refused(count: str) -> None:
    """Argparse's own status for a wrong command line."""
    run = api("seed", "--users", count, environ={})
    assert (run.returncode, "--users" in run.stderr) == (2, True)
