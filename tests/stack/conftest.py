"""The stack, started once as a user starts it, with `make up`, and gone after `make down`."""

import os
import re
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.stack.stack import PROJECT, Stack, docker, run

PORTS = ("ECHO_PORT", "ECHO_ADMIN_PORT", "API_PORT", "API_ADMIN_PORT", "PROMETHEUS_PORT")
OFFLINE = {
    "PYTHON_IMAGE": "bellbuoy-offline/python",
    "POSTGRES_IMAGE": "bellbuoy-offline/postgres",
    "PROMETHEUS_IMAGE": "bellbuoy-offline/prometheus",
}

# What is meant for the make that started us, or for another project of compose.
FOREIGN = re.compile(r"MAKE|MFLAGS$|ARGS$|COMPOSE_|PUBLISH_ADDRESS$")


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Leave this folder out unless it was asked for by name."""
    asked = any("stack" in Path(argument).parts for argument in config.invocation_params.args)
    return None if asked else True


@pytest.fixture(scope="session")
def images() -> Mapping[str, str]:
    """The base images: those that the environment names, or built here from Debian's packages."""
    named = {name: os.environ[name] for name in OFFLINE if name in os.environ}
    if named.keys() != OFFLINE.keys():
        run("deploy/images/build")
    return OFFLINE | named


@pytest.fixture(scope="session")
def stack(
    images: Mapping[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Stack]:
    """echo, api, PostgreSQL and Prometheus, all healthy."""
    environ = {
        **{name: value for name, value in os.environ.items() if not FOREIGN.match(name)},
        **images,
        **free_ports(),
        "COMPOSE_PROJECT_NAME": PROJECT,
        "COMPOSE_DISABLE_ENV_FILE": "true",
        "SECRETS_DIR": str(tmp_path_factory.mktemp("secrets")),
        "TAG": "test",
    }
    command = ("make", "--no-print-directory")
    run(*command, "down", "ARGS=--volumes", environ=environ)  # what a killed run left
    try:
        since = time.time()
        stack = Stack(environ, run(*command, "up", environ=environ))
        stack.remember(since, "echo", "api", "postgres", "migrate")
        # By name and not by its profile, because Grafana cannot be built here.
        stack.compose("--profile", "observability", "up", "--detach", "prometheus")
        yield stack
    finally:
        if request.session.testsfailed:
            for report in (("ps",), ("logs", "ARGS=--tail 40")):
                sys.stderr.write(run(*command, *report, environ=environ))
        run(*command, "down", "ARGS=--volumes", environ=environ)
    assert left_over() == ""


def left_over() -> str:
    """Return the containers, networks and volumes of the project that still exist."""
    of_project = f"label=com.docker.compose.project={PROJECT}"
    return (
        docker("ps", "--all", "--quiet", "--filter", of_project)
        + docker("network", "ls", "--quiet", "--filter", of_project)
        + docker("volume", "ls", "--quiet", "--filter", of_project)
    )


def free_ports() -> dict[str, str]:
    """Return a port that nobody uses now for each that compose publishes."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in PORTS]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return {name: str(one.getsockname()[1]) for name, one in zip(PORTS, sockets, strict=True)}
