"""Replicas by load: never fewer than two, never more than PostgreSQL has connections for."""

from collections.abc import Iterator

import pytest

from bellbuoy.database import DatabaseSettings
from bellbuoy.settings import load
from echo.settings import EchoSettings
from tests.repository.kustomize import changed, rendering
from tests.repository.manifests import Manifests, Mistake, containers, label

MAX_CONNECTIONS = 100 - 3
"""PostgreSQL's default, less what it reserves for superusers."""

OTHERS = 5 + 2
"""The metrics role's limit, and a migration beside its lock."""

HPA = "HorizontalPodAutoscaler"
CONTAINER = ("spec", "template", "spec", "containers", 0)
MISTAKES = {
    "more-than-the-database-takes": Mistake(HPA, "bellbuoy-api", ("spec", "maxReplicas"), 20),
    "a-larger-pool": Mistake(
        "Deployment",
        "bellbuoy-api",
        (*CONTAINER, "env"),
        [{"name": "BUOY_DB_POOL_SIZE", "value": "10"}],
    ),
    "more-workers": Mistake("ConfigMap", "bellbuoy-api", ("data", "BUOY_WORKERS"), "2"),
    "one-replica": Mistake(HPA, "bellbuoy-echo", ("spec", "minReplicas"), 1),
    "load-without-request": Mistake(
        "Deployment", "bellbuoy-echo", (*CONTAINER, "resources", "requests")
    ),
    "connections-that-stay": Mistake(
        "ConfigMap", "bellbuoy-autoscaling", ("data", "BUOY_ECHO_MAX_AGE_SECONDS")
    ),
    "leaving-at-once": Mistake(HPA, "bellbuoy-echo", ("spec", "behavior", "scaleDown")),
}


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield scalers that scale too far, or cannot."""
    for scaler in manifests.of(HPA):
        spec = scaler["spec"]
        deployment = manifests.get("Deployment", spec["scaleTargetRef"]["name"])
        surge = deployment["spec"]["strategy"]["rollingUpdate"]["maxSurge"]
        connections = (spec["maxReplicas"] + surge) * _connections(manifests, deployment) + OTHERS
        if connections > MAX_CONNECTIONS:
            yield f"{label(scaler)}: {connections} connections"
        if spec["minReplicas"] < 2:
            yield f"{label(scaler)}: one replica is an interruption at each node drain"
        if spec["behavior"].get("scaleDown", {}).get("stabilizationWindowSeconds", 0) < 300:
            yield f"{label(scaler)}: connections that live long are moved for nothing"
        for container in containers(deployment):
            if "cpu" not in container["resources"].get("requests", {}):
                yield f"{label(scaler)}: {container['name']} asks for no CPU to be a share of"
            age = load(EchoSettings, manifests.environment(container)).echo_max_age_seconds
            if container["name"] == "echo" and not age:
                yield f"{label(scaler)}: connections stay where they are"


def _connections(manifests: Manifests, deployment: dict[str, object]) -> int:
    total = 0
    for container in containers(deployment):
        variables = manifests.environment(container)
        if "BUOY_DB_HOST" in variables:
            settings = load(DatabaseSettings, variables)
            total += settings.db_pool_size * int(variables["BUOY_WORKERS"])
    return total


@pytest.mark.parametrize("name", ["autoscaling", "production"])
def test_the_database_has_connections_for_all_replicas(name: str) -> None:
    """At the most replicas, in the middle of an update."""
    assert rendering(name).of(HPA)
    assert list(problems(rendering(name))) == []


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_scaler_that_goes_too_far_is_noticed(mistake: Mistake) -> None:
    """The scaler, the pool and the workers multiply."""
    assert list(problems(rendering("production").with_mistake(mistake))) != []


def test_without_the_component_nothing_scales() -> None:
    """As many replicas run as somebody says."""
    assert rendering("dev").of(HPA) == []


def test_an_overlay_may_set_another_age() -> None:
    """In the way in which it sets everything else."""
    merged = """
configMapGenerator:
  - name: bellbuoy-echo
    behavior: merge
    literals: [BUOY_ECHO_MAX_AGE_SECONDS=60]
"""
    manifests = changed("production", ("k8s/overlays/production/kustomization.yaml", "", merged))
    (container,) = containers(manifests.get("Deployment", "bellbuoy-echo"))
    assert manifests.environment(container)["BUOY_ECHO_MAX_AGE_SECONDS"] == "60"
