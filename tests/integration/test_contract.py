"""The OpenAPI document against the running api: schemathesis, all phases, all checks."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from api.schema import migrations
from api.seed import seed
from bellbuoy.database import migrate
from onebox import roles
from tests.api.serving import TOKEN, known_tokens
from tests.bellbuoy.database.pools import settings_for
from tests.postgres import Database, database, postgres
from tests.program import UNMEASURED, Program, ports
from tests.repository.tree import ROOT

__all__ = ["database", "postgres"]

EXAMPLES = os.environ.get("BELLBUOY_CONTRACT_EXAMPLES", "15")
"""Requests of each kind; `make test-contract` tries 2,000."""

SECONDS = int(os.environ.get("BELLBUOY_CONTRACT_SECONDS", "45"))
"""What fuzzing and the stateful phase may take; the other phases end by themselves."""

PHASES = "examples,coverage,fuzzing,stateful"


async def fill(database: Database) -> None:
    """Migrate, and put some users there."""
    owner = settings_for(database, role=roles.OWNER)
    await migrate(owner, migrations())
    await seed(owner, 50)


def schemathesis(address: tuple[str, int], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run it; what it writes lies in ``folder``."""
    host, port = address
    command = [
        *(sys.executable, "-m", "schemathesis.cli"),
        *("--config-file", str(ROOT / "tests" / "contract" / "schemathesis.toml")),
        *("run", f"http://{host}:{port}/openapi.json", f"--header=Authorization: Bearer {TOKEN}"),
        *("--checks=all", f"--phases={PHASES}", f"--max-examples={EXAMPLES}"),
        *(f"--max-time={SECONDS}", "--no-color", "--generation-database=none"),
    ]
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **UNMEASURED},
        capture_output=True,
        text=True,
        timeout=SECONDS + 240,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 300)
def test_the_api_keeps_what_its_document_promises(tmp_path: Path, database: Database) -> None:
    """No check fails, every phase has run on every operation, and no bug was met."""
    asyncio.run(fill(database))
    environ = {**known_tokens(tmp_path), "BUOY_WORKERS": "1"}
    program = Program([sys.executable, "-m", "api"], ports("api") | database.environ() | environ)
    try:
        program.await_workers(1)
        ran = schemathesis(program.address, tmp_path)
        metrics = program.metrics()
        status = program.stop()
    finally:
        program.end()
    assert ran.returncode == 0, ran.stdout[-20_000:] + ran.stderr[-2_000:]
    for phase in PHASES.split(","):
        assert f"✅ {phase.capitalize()}" in ran.stdout, ran.stdout[-5_000:]
    assert [key for key in metrics if key[0] == "http_exceptions_total" and metrics[key]] == []
    assert status == 0
    assert program.complaints() == []
