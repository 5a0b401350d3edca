"""Who waits for whom, and who survives whose absence."""

from datetime import UTC, datetime

from tests.stack.stack import Stack, docker, wait_until


def moment(text: str) -> datetime:
    """Return the UTC time that Docker writes with nanoseconds."""
    return datetime.fromisoformat(text[:26].rstrip("Z")).replace(tzinfo=UTC)


def test_everything_is_healthy(stack: Stack) -> None:
    """`make up` returned, so health checks have passed and the migration is done."""
    health = {name: stack.state(name)["Health"]["Status"] for name in ("echo", "api", "postgres")}
    assert health == dict.fromkeys(health, "healthy")
    assert stack.state("migrate")["ExitCode"] == 0


def test_the_database_comes_before_the_migration_before_the_api(stack: Stack) -> None:
    """And echo waits for nobody."""
    postgres, migrate, api = (stack.state(name) for name in ("postgres", "migrate", "api"))
    passed = [check for check in postgres["Health"]["Log"] if check["ExitCode"] == 0]
    assert passed, "the log of the health check holds the last five"
    assert moment(postgres["StartedAt"]) < moment(migrate["StartedAt"])
    assert moment(migrate["FinishedAt"]) < moment(api["StartedAt"])
    assert moment(stack.state("echo")["StartedAt"]) < moment(migrate["FinishedAt"])


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
