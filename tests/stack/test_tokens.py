"""Tokens of the api in its container: made and revoked on the host, while it runs."""

import os
import sys
from pathlib import Path

from tests.stack.stack import ROOT, Stack, run, wait_until

SOON = 10.0
"""Seconds; the api looks at the file once a second while it is asked."""


def token(stack: Stack, *arguments: str) -> str:
    """Run `bellbuoy token` on the file of the stack, as its documentation says."""
    file = Path(stack.environ["SECRETS_DIR"], "api", "api.tokens")
    command = (sys.executable, "-m", "bellbuoy.cli", "token", *arguments, "--file", str(file))
    return run(*command, environ={**os.environ, "PYTHONPATH": str(ROOT / "services")}).strip()


def test_a_token_is_known_and_revoked_without_a_restart(stack: Stack) -> None:
    """A new one opens the users within seconds, a revoked one is refused within seconds."""
    before = stack.state("api")["StartedAt"]
    made = token(stack, "new", "--name", "alice", "--scope", "users:read").splitlines()[-1]

    def status() -> int:
        return stack.get("api", 8080, "/users/1", made)[0]

    wait_until(lambda: status() == 200, seconds=SOON)
    token(stack, "revoke", "--name", "alice")
    wait_until(lambda: status() == 401, seconds=SOON)
    assert stack.status("api", 8080, "/users/1") == 200
    assert stack.state("api")["StartedAt"] == before
