"""Everything is killed at once, and what was committed is there afterwards."""

import subprocess

from tests.stack.stack import SERVICES, Stack, docker, wait_until

WRITER = """
i=0
while :; do
    i=$((i + 1))
    echo "INSERT INTO users (name, email) VALUES ('k', 'k$i@example.com') RETURNING id;"
done | psql --username=postgres --dbname=bellbuoy --quiet --no-align --tuples-only
"""


def test_committed_rows_survive_a_kill_of_everything(stack: Stack) -> None:
    """Each row that a client was told of is there, and everything is healthy again."""
    containers = [stack.container(service) for service in SERVICES]
    writer = subprocess.Popen(
        ["docker", "exec", "--interactive", stack.container("postgres"), "sh", "-c", WRITER],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout
    told = [writer.stdout.readline() for _ in range(200)]
    docker("kill", *containers)
    told += writer.stdout.readlines()
    writer.stdout.close()
    writer.wait(timeout=10)
    ids = [int(line) for line in told if line.endswith("\n")]
    assert {stack.state(service)["ExitCode"] for service in SERVICES} == {137}

    stack.compose("up", "--detach", "--wait")
    stack.compose("--profile", "observability", "up", "--detach", "prometheus")
    stored = {int(line) for line in stack.query("SELECT id FROM users").split()}
    assert len(ids) >= 200
    assert set(ids) <= stored
    wait_until(lambda: stack.status("api", 8080, f"/users/{ids[-1]}") == 200, seconds=10)
    assert stack.status("api", 8080, "/Ada") == 200


def test_what_it_acknowledges_is_on_the_disk(stack: Stack) -> None:
    """PostgreSQL does what it does against a loss of power."""
    settings = ("fsync", "synchronous_commit", "full_page_writes")
    assert [stack.query(f"SHOW {name}").strip() for name in settings] == ["on"] * 3
