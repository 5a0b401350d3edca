"""Who takes part, and how each is started; nothing of ours is switched off."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bellbuoy import tokens
from bench.api.postgres import Postgres
from bench.echo.contestants import SERVICES, Contestant

HERE = Path(__file__).parent

OURS, OURS_ASYNCIO = "bellbuoy", "bellbuoy on asyncio's loop"
BARE, FASTAPI, NAIVE = "bare aiohttp", "FastAPI", "naive aiohttp + pool"
GO, NODE = "Go net/http", "Node http"

POOL_SIZE = 10
"""Database connections of each contestant: what ``asyncpg.create_pool`` opens by default."""


@dataclass(frozen=True)
class Entry:
    """A contestant and what its clients must send.

    Args:
        contestant: How it is started.
        headers: Sent with every request.
    """

    contestant: Contestant
    headers: Mapping[str, str] = field(default_factory=dict)


def entries(build: Path, postgres: Postgres) -> dict[str, Entry]:
    """Compile what must be compiled into ``build`` and return who takes part, by name.

    Go and Node take part where their toolchains are installed.
    """
    dsn = {"DSN": postgres.dsn()}
    everyone = [
        ours(build, postgres),
        ours(build, postgres, OURS_ASYNCIO, "asyncio"),
        Entry(_python(BARE, "bare.py", {})),
        Entry(_python(FASTAPI, "fast.py", dsn)),
        Entry(_python(NAIVE, "naive.py", dsn)),
    ]
    if go := shutil.which("go"):
        binary = build / "greeting"
        source = HERE / "greeting.go"
        subprocess.run([go, "build", "-o", binary, source], check=True)  # noqa: S603
        everyone.append(Entry(Contestant(GO, (str(binary),), {"GOMAXPROCS": "1"})))
    if node := shutil.which("node"):
        everyone.append(Entry(Contestant(NODE, (node, str(HERE / "greeting.js")), {})))
    return {entry.contestant.name: entry for entry in everyone}


def ours(build: Path, postgres: Postgres, name: str = OURS, loop: str = "uvloop") -> Entry:
    """Return the api with one worker: its supervisor and its admin process are measured, too."""
    token, file = "a token for the bench", build / "api.tokens"
    issued = tokens.issue("bench", token, ("users:read", "users:write"))
    tokens.write(file, tokens.Tokens((issued,)))
    environment = {
        **postgres.environ(),
        "PYTHONPATH": str(SERVICES),
        "BUOY_API_PORT": "PORT",
        "BUOY_API_ADMIN_PORT": "0",
        "BUOY_API_TOKENS_FILE": str(file),
        # One client from one address is all the load there is: its limits count and never refuse.
        "BUOY_API_TOKEN_RATE": "1e6",
        "BUOY_API_ADDRESS_RATE": "1e6",
        "BUOY_API_GREETING_RATE": "1e6",
        "BUOY_DB_POOL_SIZE": str(POOL_SIZE),
        "BUOY_WORKERS": "1",
        "BUOY_LOOP": loop,
    }
    command = (sys.executable, "-m", "api")
    bearer = {"Authorization": f"Bearer {token}"}
    return Entry(Contestant(name, command, environment, build / "api.log"), bearer)


def _python(name: str, script: str, environment: Mapping[str, str]) -> Contestant:
    return Contestant(name, (sys.executable, str(HERE / script)), environment)
