"""The PostgreSQL image keeps the contract of the official one, whichever of the two it is."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.stack import PROJECT, Stack, docker, fails, inspect, wait_until

NAME = f"{PROJECT}-contract"
DATA = "/var/lib/postgresql/data"


@pytest.fixture
def init(tmp_path: Path) -> Path:
    """Init scripts of each kind, which note that they ran, in the order of their names."""
    folder = tmp_path / "init"
    folder.mkdir()
    (folder / "1.sql").write_text("CREATE TABLE ran (script text); INSERT INTO ran VALUES ('sql');")
    (folder / "2.sql.gz").write_bytes(gzip.compress(b"INSERT INTO ran VALUES ('gz');"))
    (folder / "3.sh").write_text(
        'psql -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c "INSERT INTO ran VALUES (\'sh\')"\n'
    )
    return folder


@pytest.fixture
def container(stack: Stack, init: Path, tmp_path: Path) -> Iterator[str]:
    """A first start as root, with names of its own and the password in a file."""
    (tmp_path / "password").write_text("a 'quoted' pass\\word")
    (tmp_path / "password").chmod(0o444)
    docker(
        *("run", "--detach", "--name", NAME, "--init"),
        *("--volume", f"{init}:/docker-entrypoint-initdb.d:ro"),
        *("--volume", f"{tmp_path / 'password'}:/run/secrets/password:ro"),
        *("--env", "POSTGRES_PASSWORD_FILE=/run/secrets/password"),
        *("--env", "POSTGRES_USER=boss", "--env", "POSTGRES_DB=shop"),
        *("--env", "POSTGRES_INITDB_ARGS=--data-checksums --encoding=UTF8"),
        *("--env", f"PGDATA={DATA}/inside"),
        *(stack.environ["POSTGRES_IMAGE"], "-c", "max_connections=17"),
    )
    try:
        wait_until(lambda: is_accepting(NAME), seconds=60)
        yield NAME
    finally:
        docker("rm", "--force", "--volumes", NAME)


def is_accepting(container: str) -> bool:
    """Return whether it answers over TCP: only after the init scripts."""
    command = ("exec", container, "sh", "-c", "pg_isready --host=127.0.0.1 || true")
    return "accepting connections" in docker(*command)


def query(container: str, statement: str, *, password: str = "") -> str:
    """Return what a query answers; over TCP with a password, else over the socket."""
    way = ("--host=127.0.0.1",) if password else ()
    return docker(
        *("exec", "--env", f"PGPASSWORD={password}", container),
        *("psql", *way, "--username=boss", "--dbname=shop", "--no-align", "--tuples-only"),
        *("--command", statement),
    )


def test_the_first_start_makes_what_the_variables_say(container: str) -> None:
    """User, database, arguments of initdb and of the server, PGDATA; scripts run once, in order."""
    assert query(container, "SELECT string_agg(script, ' ') FROM ran") == "sql gz sh"
    assert query(container, "SELECT rolsuper FROM pg_roles WHERE rolname = 'boss'") == "t"
    assert query(container, "SHOW data_checksums") == "on"
    assert query(container, "SHOW max_connections") == "17"
    assert query(container, "SHOW data_directory") == f"{DATA}/inside"
    assert query(container, "SHOW server_version_num").startswith("17")


def test_the_server_runs_as_999_and_asks_the_network_for_the_password(container: str) -> None:
    """Started as root, it is root no longer; the file's content is the password, quotes and all."""
    assert docker("exec", container, "stat", "--format=%u", f"{DATA}/inside") == "999"
    owners = docker("exec", container, "sh", "-c", "stat --format=%u /proc/[0-9]*/exe 2>/dev/null")
    assert "999" in owners.split()
    rules = query(container, "SELECT auth_method FROM pg_hba_file_rules WHERE address = 'all'")
    assert rules == "scram-sha-256"


def test_the_stop_signal_is_a_fast_shutdown_and_nothing_is_made_twice(container: str) -> None:
    """A stop does not wait for clients; the next start finds the cluster and runs no script."""
    assert inspect(container)["Config"]["StopSignal"] == "SIGINT"
    docker("stop", "--time", "20", container)
    assert inspect(container)["State"]["ExitCode"] == 0
    docker("start", container)
    wait_until(lambda: is_accepting(container), seconds=30)
    assert query(container, "SELECT count(*) FROM ran") == "3"


def test_nobody_gets_a_server_without_a_password(stack: Stack) -> None:
    """Neither none nor two of them is accepted."""
    command = ("docker", "run", "--rm")
    image = stack.environ["POSTGRES_IMAGE"]
    assert "POSTGRES_PASSWORD" in fails(*command, image)
    both = ("--env", "POSTGRES_PASSWORD=a", "--env", "POSTGRES_PASSWORD_FILE=/etc/hostname")
    assert "POSTGRES_PASSWORD_FILE" in fails(*command, *both, image)
