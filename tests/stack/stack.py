"""The stack under test: one compose project of its own, with ports and secrets of its own."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TRAFFIC = Path(__file__).with_name("traffic.py")

PROJECT = "bellbuoy-test"
SERVICES = ("echo", "api", "postgres", "prometheus")
FRONT = f"{PROJECT}_front"
BACK = f"{PROJECT}_back"


def run(*command: str, environ: Mapping[str, str] | None = None, script: str = "") -> str:
    """Run a command in the checkout and return what it printed.

    Raises:
        AssertionError: It failed; the message is what it said.
    """
    done = subprocess.run(
        command, cwd=ROOT, env=environ, input=script, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def fails(*command: str, environ: Mapping[str, str] | None = None) -> str:
    """Run a command that must fail and return what it said."""
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0, f"{' '.join(command)}\n{done.stdout}"
    return done.stdout + done.stderr


def docker(*arguments: str, script: str = "") -> str:
    """Run a docker command and return what it printed."""
    return run("docker", *arguments, script=script).strip()


def inspect(what: str) -> dict[str, Any]:
    """Return what Docker knows of a container or an image."""
    (found,) = json.loads(docker("inspect", what))
    return dict(found)


def logs(container: str) -> str:
    """Return what a container has written, on both of its outputs."""
    done = subprocess.run(
        ["docker", "logs", container],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return done.stdout


def events(service: str, event: str, value: str, since: float) -> list[str]:
    """Return a value of each event of a service since then; Docker forgets all but the last 256."""
    return docker(
        *("events", "--since", f"{since:.3f}", "--until", f"{time.time():.3f}"),
        *("--filter", f"label=com.docker.compose.project={PROJECT}"),
        *("--filter", f"label=com.docker.compose.service={service}"),
        *("--filter", f"event={event}", "--format", f"{{{{{value}}}}}"),
    ).split()


def wait_until(condition: Callable[[], object], *, seconds: float) -> None:
    """Wait for something that happens in another process.

    Raises:
        AssertionError: It did not happen in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {condition}"
        time.sleep(0.1)


@dataclass(frozen=True)
class Stack:
    """The running stack.

    Args:
        environ: What compose reads: images, ports, secrets.
        announcement: What `make up` printed.
    """

    environ: Mapping[str, str]
    announcement: str = ""
    first: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Each container's state when `make up` returned, by service."""
    healthy: dict[str, float] = field(default_factory=dict)
    """When each was first healthy, by service."""

    def compose(self, *arguments: str, script: str = "") -> str:
        """Run a compose command and return what it printed."""
        return run("docker", "compose", *arguments, environ=self.environ, script=script).strip()

    def build(self, target: str, tag: str) -> None:
        """Build a target that compose does not know, with what compose gives to the others."""
        given = {"ca": "SSL_CERT_FILE", "pip_conf": "PIP_CONFIG_FILE"}
        secrets = (
            f"--secret=id={name},src={self.environ.get(variable, os.devnull)}"
            for name, variable in given.items()
        )
        run(
            *("docker", "build", "--file=deploy/Dockerfile", f"--target={target}", f"--tag={tag}"),
            *(f"--build-arg=PYTHON_IMAGE={self.environ['PYTHON_IMAGE']}", *secrets, "."),
            environ={**self.environ, "DOCKER_BUILDKIT": "1"},
        )

    def container(self, service: str) -> str:
        """Return the id of a service's container."""
        return self.compose("--profile", "observability", "ps", "--all", "--quiet", service)

    def remember(self, since: float, *services: str) -> None:
        """Fill in the first states."""
        for service in services:
            self.first[service] = self.state(service)
            health = "health_status: healthy"
            if moments := events(service, health, ".TimeNano", since):
                self.healthy[service] = int(moments[0]) / 1e9

    def state(self, service: str) -> dict[str, Any]:
        """Return the state of a service's container."""
        return dict(inspect(self.container(service))["State"])

    def token(self) -> str:
        """Return the api's bearer token."""
        return Path(self.environ["SECRETS_DIR"], "api.token").read_text()

    def secrets(self) -> list[str]:
        """Return every secret there is."""
        files = Path(self.environ["SECRETS_DIR"]).rglob("*")
        return [path.read_text() for path in files if path.is_file()]

    def get(self, service: str, port: int, path: str, token: str = "") -> tuple[int, str]:
        """Return status and body of the answer behind a published port; (0, "") for none."""
        headers = {"Authorization": f"Bearer {token or self.token()}"}
        published = inspect(self.container(service))["NetworkSettings"]["Ports"][f"{port}/tcp"]
        connection = HTTPConnection("127.0.0.1", int(published[0]["HostPort"]), timeout=10)
        try:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except (OSError, HTTPException):
            return 0, ""
        finally:
            connection.close()

    def status(self, service: str, port: int, path: str) -> int:
        """Return the status of the answer behind a published port; 0 for none."""
        return self.get(service, port, path)[0]

    def query(self, statement: str) -> str:
        """Return what PostgreSQL answers its superuser."""
        psql = "psql --username=postgres --dbname=bellbuoy --quiet --no-align --tuples-only"
        return self.exec("postgres", f'{psql} --command="{statement}"')

    def exec(self, service: str, script: str) -> str:
        """Run a shell script in a service's container and return what it printed."""
        return docker("exec", "--interactive", self.container(service), "sh", script=script)

    def neighbour(self, network: str, program: str) -> str:
        """Run a Python program in a container on one of the networks."""
        image = self.environ["PYTHON_IMAGE"]
        return docker(
            "run", "--rm", "--interactive", "--network", network, image, "python3", script=program
        )

    @contextmanager
    def traffic(self, kind: str) -> Iterator["Account"]:
        """Send traffic while the context is open; the account is complete after it."""
        host, port = ("echo", "8888") if kind == "echo" else ("api", "8080")
        name = f"{PROJECT}-traffic-{kind}"
        docker_run = ["docker", "run", "--rm", "--interactive", "--name", name, "--network", FRONT]
        python = [self.environ["PYTHON_IMAGE"], "python3", "-"]
        client = subprocess.Popen(
            [*docker_run, *python, kind, host, port, self.token()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert client.stdin
        client.stdin.write(TRAFFIC.read_text())
        client.stdin.close()
        client.stdin = None
        account = Account()
        try:
            time.sleep(2)  # so that it flows before anything happens
            yield account
            time.sleep(1)  # and flows again
        finally:
            docker("kill", "--signal", "TERM", name)
            output, _ = client.communicate(timeout=30)
        assert client.returncode == 0, output
        account.take(json.loads(output))


class Account:
    """What came of traffic."""

    def __init__(self) -> None:
        """Be filled in later."""
        self.ok = 0
        self.events: list[tuple[float, str]] = []

    def take(self, report: Mapping[str, Any]) -> None:
        """Fill in what the client reported."""
        self.ok = report["ok"]
        self.events = [(moment, event) for moment, event in report["events"]]

    @property
    def kinds(self) -> set[str]:
        """What happened at all."""
        return {event for _, event in self.events}

    def last(self) -> float:
        """Return when the last event was; 0 if there was none."""
        return max((moment for moment, _ in self.events), default=0.0)
