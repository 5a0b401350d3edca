"""Who waits for whom, and who survives whose absence."""

from datetime import UTC, datetime

from tests.stack.stack import Stack, docker, wait_until


def moment(text: str) -> float:
    """Return as Unix time the UTC time that Docker writes with nanoseconds."""
    return datetime.fromisoformat(text[:26].rstrip("Z")).replace(tzinfo=UTC).timestamp()


def test_make_up_returns_when_everything_serves(stack: Stack) -> None:
    """Health checks have passed and the migration is done."""
    health = {name: stack.first[name]["Health"]["Status"] for name in ("echo", "api", "postgres")}
    assert health == dict.fromkeys(health, "healthy")
    assert stack.first["migrate"]["ExitCode"] == 0


def test_the_database_comes_before_the_migration_before_the_api(stack: Stack) -> None:
    """Each is done before the next begins; echo waits for nobody."""
    migrate, api = stack.first["migrate"], stack.first["api"]
    assert stack.healthy["postgres"] < moment(migrate["StartedAt"])
    assert moment(migrate["FinishedAt"]) < moment(api["StartedAt"])
    assert moment(stack.first["echo"]["StartedAt"]) < moment(migrate["FinishedAt"])


def test_the_api_starts_without_the_database(stack: Stack) -> None:
    """It greets, says 503 where it needs the database, is not ready yet, and recovers by itself."""
    api = stack.container("api")
    stack.compose("stop", "postgres")
    try:
        docker("restart", api)
        wait_until(lambda: stack.status("api", 9080, "/livez") == 200, seconds=10)
        assert stack.status("api", 8080, "/Ada") == 200
        assert stack.status("api", 8080, "/users/1") == 503
        assert stack.status("api", 9080, "/readyz") == 503
    finally:
        stack.compose("start", "postgres")
    wait_until(lambda: stack.status("api", 9080, "/readyz") == 200, seconds=15)
    assert stack.status("api", 8080, "/users/1") == 200
