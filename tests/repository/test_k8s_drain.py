"""The deadlines of a stopping pod nest: the drain, the supervisor, then the kubelet."""

from collections.abc import Iterator

import pytest

from bellbuoy import timeouts
from bellbuoy.settings import HostSettings, load
from tests.repository.kustomize import RENDERINGS, rendering
from tests.repository.manifests import Manifests, Mistake, containers, label, template

POD = ("spec", "template", "spec")
CONTAINER = (*POD, "containers", 0)
CONFIG = ("ConfigMap", "bellbuoy-kubernetes")
ECHO = ("Deployment", "bellbuoy-echo")
MISTAKES = {
    "grace-of-the-default": Mistake(*ECHO, (*POD, "terminationGracePeriodSeconds")),
    "grace-shorter-than-the-drain": Mistake(*ECHO, (*POD, "terminationGracePeriodSeconds"), 30),
    "grace-of-its-own": Mistake(*ECHO, (*POD, "terminationGracePeriodSeconds"), 90),
    "no-delay": Mistake(*CONFIG, ("data", "BUOY_DRAIN_DELAY_SECONDS")),
    "longer-delay": Mistake(*CONFIG, ("data", "BUOY_DRAIN_DELAY_SECONDS"), "30"),
    "longer-drain": Mistake(*CONFIG, ("data", "BUOY_DRAIN_TIMEOUT_SECONDS"), "60"),
    "slow-readiness": Mistake(*ECHO, (*CONTAINER, "readinessProbe", "periodSeconds"), 10),
    "a-second-delay": Mistake(
        *ECHO, (*CONTAINER, "lifecycle"), {"preStop": {"sleep": {"seconds": 10}}}
    ),
    "liveness-faster-than-the-watchdog": Mistake(
        *ECHO, (*CONTAINER, "livenessProbe", "periodSeconds"), 2
    ),
    "database-killed-at-its-checkpoint": Mistake(
        "StatefulSet", "bellbuoy-postgres", (*POD, "terminationGracePeriodSeconds"), 30
    ),
}


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield deadlines that do not nest."""
    for service in manifests.of("Deployment"):
        grace = template(service)["spec"].get("terminationGracePeriodSeconds")
        if grace != timeouts.CONTAINER_STOP:
            yield f"{label(service)}: {grace} s are not timeouts.CONTAINER_STOP"
        for container in containers(service):
            settings = load(HostSettings, manifests.environment(container))
            yield from (f"{label(service)}: {each}" for each in _nesting(settings))
            yield from (f"{label(service)}: {each}" for each in _probes(container, settings))
            if "lifecycle" in container:
                yield f"{label(service)}: the service itself waits for the load balancers"
    for database in manifests.of("StatefulSet"):
        if template(database)["spec"]["terminationGracePeriodSeconds"] < 2 * 60:
            yield f"{label(database)}: no time for a checkpoint"


def _nesting(settings: HostSettings) -> Iterator[str]:
    supervisor = timeouts.supervisor(settings.drain_delay_seconds, settings.drain_timeout_seconds)
    if settings.drain_delay_seconds != timeouts.DRAIN_DELAY:
        yield f"a delay of {settings.drain_delay_seconds} s is not timeouts.DRAIN_DELAY"
    if not supervisor < timeouts.CONTAINER_STOP:
        yield f"a supervisor that waits {supervisor} s is killed"


def _probes(container: dict[str, dict[str, float]], settings: HostSettings) -> Iterator[str]:
    ready, alive = container["readinessProbe"], container["livenessProbe"]
    if ready["periodSeconds"] * ready["failureThreshold"] > settings.drain_delay_seconds / 2:
        yield "a pod that is not ready is noticed too late"
    if alive["periodSeconds"] * alive["failureThreshold"] < settings.watchdog_seconds:
        yield "the kubelet kills before the watchdog replaces a worker"


@pytest.mark.parametrize("name", RENDERINGS)
def test_the_deadlines_of_a_stop_nest(name: str) -> None:
    """With the settings that the pods are given, and the arithmetic of bellbuoy.timeouts."""
    assert list(problems(rendering(name))) == []


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_deadlines_that_do_not_nest_are_noticed(mistake: Mistake) -> None:
    """From the side of the pod and from the side of the settings."""
    assert list(problems(rendering("dev").with_mistake(mistake))) != []
