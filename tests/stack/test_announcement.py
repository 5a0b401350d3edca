"""What `make up` prints is true, and what it asks for is said."""

import re
from pathlib import Path

import pytest

from tests.stack.stack import Stack, fails, run

ANSWERS = {
    r"printf": r"hello\n",
    r"curl \S+/$": r"Hello, World!",
    r"curl \S+/Ada$": r"Hello, Ada!",
    r"curl \S+/health$": r'"status": ?"healthy"',
    r"curl -H .*/users/1$": r'"id":1,"name":"Ada ',
    r"curl \S+/metrics$": r"# TYPE http_requests_total counter",
}


@pytest.mark.parametrize("command", ANSWERS)
def test_the_printed_commands_work(stack: Stack, command: str) -> None:
    """Each line under `Try it` can be pasted."""
    (line,) = re.findall(rf"^  ({command}.*)$", stack.announcement, re.MULTILINE)
    assert re.search(ANSWERS[command], run("sh", "-c", f"{line} 2>&1"))


def test_everything_printed_is_tried(stack: Stack) -> None:
    """No line under `Try it` escapes the test above."""
    lines = stack.announcement.partition("Try it:")[2].split("\n  ")[1:]
    assert len(lines) == len(ANSWERS)


def test_compose_says_what_to_do_without_secrets(stack: Stack) -> None:
    """A plain `docker compose up` in a new checkout names the command that is missing."""
    environ = {**stack.environ, "SECRETS_DIR": ""}
    said = fails("docker", "compose", "--env-file", "/dev/null", "up", environ=environ)
    assert "make secrets" in said


def test_secrets_are_for_containers_and_nobody_else(stack: Stack) -> None:
    """Readable by whoever gets them mounted, in a directory that only its owner may enter."""
    folder = Path(stack.environ["SECRETS_DIR"])
    assert folder.stat().st_mode & 0o777 == 0o700
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o444}
    assert len({path.read_text() for path in files}) == len(files) == 8
