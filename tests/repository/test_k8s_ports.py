"""One number for each port, from the settings to the Service, and the right name everywhere."""

from collections.abc import Iterator

import pytest

from bellbuoy.settings import ApiPorts, EchoPorts
from tests.repository.kustomize import RENDERINGS, rendering
from tests.repository.manifests import Manifests, Mistake, containers, label, labels, named, ports

LISTENING = {
    "bellbuoy-echo": {"echo": EchoPorts.echo_port, "admin": EchoPorts.echo_admin_port},
    "bellbuoy-api": {"http": ApiPorts.api_port, "admin": ApiPorts.api_admin_port},
    "bellbuoy-postgres": {"postgres": 5432},
    "bellbuoy-migrate": {},
}
PROBES = {
    "startupProbe": "/livez",
    "livenessProbe": "/livez",
    "readinessProbe": "/readyz",
}
NAME = "app.kubernetes.io/name"

CONTAINER = ("spec", "template", "spec", "containers", 0)
ECHO = ("Deployment", "bellbuoy-echo")
PORT = ("spec", "ports", 0)
MISTAKES = {
    "another-number": Mistake(*ECHO, (*CONTAINER, "ports", 0, "containerPort"), 8889),
    "another-name": Mistake(*ECHO, (*CONTAINER, "ports", 1, "name"), "metrics"),
    "port-that-nobody-opens": Mistake(
        *ECHO, (*CONTAINER, "ports", 1), {"name": "debug", "containerPort": 5678}
    ),
    "target-without-port": Mistake("Service", "bellbuoy-echo", (*PORT, "targetPort"), "tcp"),
    "target-by-number": Mistake("Service", "bellbuoy-echo", (*PORT, "targetPort"), 8888),
    "service-of-another-number": Mistake("Service", "bellbuoy-api", (*PORT, "port"), 80),
    "service-without-name": Mistake("Service", "bellbuoy-api", (*PORT, "name"), "web"),
    "public-admin": Mistake(
        "Service", "bellbuoy-api", PORT, {"name": "admin", "port": 9080, "targetPort": "admin"}
    ),
    "admin-with-an-address": Mistake("Service", "bellbuoy-api-admin", ("spec", "clusterIP")),
    "admin-of-ready-pods": Mistake(
        "Service", "bellbuoy-api-admin", ("spec", "publishNotReadyAddresses")
    ),
    "probe-of-the-public-port": Mistake(
        *ECHO, (*CONTAINER, "livenessProbe"), {"tcpSocket": {"port": "echo"}}
    ),
    "probe-without-port": Mistake(
        *ECHO, (*CONTAINER, "readinessProbe", "httpGet", "port"), "metrics"
    ),
    "ready-because-alive": Mistake(
        *ECHO, (*CONTAINER, "readinessProbe", "httpGet", "path"), "/livez"
    ),
    "restarted-because-not-ready": Mistake(
        *ECHO, (*CONTAINER, "livenessProbe", "httpGet", "path"), "/readyz"
    ),
    "no-readiness": Mistake(*ECHO, (*CONTAINER, "readinessProbe")),
    "database-without-readiness": Mistake(
        "StatefulSet", "bellbuoy-postgres", (*CONTAINER, "readinessProbe")
    ),
    "monitor-of-another-port": Mistake(
        "ServiceMonitor", "bellbuoy", ("spec", "endpoints", 0, "port"), "http"
    ),
    "monitor-of-another-path": Mistake(
        "ServiceMonitor", "bellbuoy", ("spec", "endpoints", 0, "path"), "/"
    ),
}


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield ports that do not meet."""
    yield from _opened(manifests)
    yield from _probed(manifests)
    yield from _served(manifests)
    for monitor in manifests.of("ServiceMonitor"):
        for endpoint in monitor["spec"]["endpoints"]:
            if (endpoint["port"], endpoint["path"]) != ("admin", "/metrics"):
                yield f"{label(monitor)}: {endpoint}"


def _opened(manifests: Manifests) -> Iterator[str]:
    for workload in manifests.workloads():
        expected = LISTENING[workload["metadata"]["labels"][NAME]]
        if ports(workload) != expected:
            yield f"{label(workload)} opens {ports(workload)}"


def _probed(manifests: Manifests) -> Iterator[str]:
    for service in manifests.of("Deployment"):
        for container in containers(service):
            for probe, path in PROBES.items():
                found = container.get(probe, {}).get("httpGet")
                if found != {"path": path, "port": "admin"}:
                    yield f"{label(service)}: {probe} is {found}"
    for database in manifests.of("StatefulSet"):
        for container in containers(database):
            # A liveness probe would end the recovery from a crash.
            if container.keys() & PROBES.keys() != {"startupProbe", "readinessProbe"}:
                yield f"{label(database)}: it has other probes than a start and a readiness"


def _served(manifests: Manifests) -> Iterator[str]:
    for service in manifests.of("Service"):
        spec = service["spec"]
        opened: dict[str, int] = {}
        for workload in manifests.workloads():
            if spec["selector"].items() <= labels(workload).items():
                opened |= ports(workload)
        is_admin = named(service).endswith("-admin")
        if is_admin and (spec.get("clusterIP"), spec.get("publishNotReadyAddresses")) != (
            "None",
            True,
        ):
            yield f"{label(service)}: discovery needs no address, and pods that are not ready"
        if not is_admin:
            opened.pop("admin", None)
        for port in spec["ports"]:
            name = port.get("name")
            if port.get("targetPort") != name or opened.get(name) != port["port"]:
                yield f"{label(service)}: {port}"


@pytest.mark.parametrize("name", RENDERINGS)
def test_every_port_is_the_one_that_is_listened_on(name: str) -> None:
    """Containers open the settings' ports, Services lead to them by name, probes ask the admin."""
    assert list(problems(rendering(name))) == []


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_port_that_does_not_meet_is_noticed(mistake: Mistake) -> None:
    """Numbers, names, paths, and an admin port where the public could reach it."""
    assert list(problems(rendering("production").with_mistake(mistake))) != []
