"""Manifests: which numbers are taken from which objects."""

from typing import Any

import pytest

from bellbuoy.cli.manifests import read
from bellbuoy.errors import EnvironmentFault

SETTINGS = {"BUOY_DB_HOST": "postgres", "BUOY_WORKERS": "1", "BUOY_DB_POOL_SIZE": "7"}


def workload(kind: str = "Deployment", **spec: Any) -> dict[str, Any]:
    """Return a workload that uses the database."""
    pod = {
        "containers": [{"envFrom": [{"configMapRef": {"name": "settings"}}]}],
        "terminationGracePeriodSeconds": 60,
    }
    return {
        "kind": kind,
        "metadata": {"name": "api"},
        "spec": {"template": {"spec": pod}, **spec},
    }


def settings(**changes: str) -> dict[str, Any]:
    """Return the settings as a ConfigMap."""
    return {"kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {**SETTINGS, **changes}}


def test_the_autoscaler_says_how_many_there_may_be() -> None:
    """Not the replicas of the moment."""
    autoscaler = {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "any"},
        "spec": {"maxReplicas": 8, "scaleTargetRef": {"kind": "Deployment", "name": "api"}},
    }
    (tenant,) = read([settings(), workload(replicas=2), autoscaler]).tenants
    assert (tenant.replicas, tenant.pool_size, tenant.workers) == (8, 7, 1)


@pytest.mark.parametrize("surge, expected", [(2, 2), ("30%", 2), ("0%", 0)])
def test_surge_is_a_number_or_a_share(surge: int | str, expected: int) -> None:
    """Shares are rounded up, as Kubernetes does it."""
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge}}
    (tenant,) = read([settings(), workload(replicas=5, strategy=strategy)]).tenants
    assert tenant.surge == expected


def test_jobs_and_the_server_are_counted() -> None:
    """A job that uses the database takes a connection; the server's arguments say its size."""
    server = {
        "kind": "StatefulSet",
        "metadata": {"name": "postgres"},
        "spec": {"template": {"spec": {"containers": [{"args": ["-c", "max_connections=77"]}]}}},
    }
    budget = read([settings(), workload(), workload("Job"), server])
    assert (budget.jobs, budget.max_connections) == (1, 77)


def test_a_container_of_its_own_settings_counts_too() -> None:
    """`env` goes before `envFrom`."""
    api = workload()
    api["spec"]["template"]["spec"]["containers"][0]["env"] = [
        {"name": "BUOY_DB_POOL_SIZE", "value": "9"},
        {"name": "SECRET", "valueFrom": {}},
    ]
    (tenant,) = read([settings(), api]).tenants
    assert tenant.pool_size == 9


@pytest.mark.parametrize("workers", ["0", "many"])
def test_a_number_that_depends_on_the_machine_is_none(workers: str) -> None:
    """A worker for each CPU is as many as the node has."""
    with pytest.raises(EnvironmentFault, match="api: BUOY_WORKERS is"):
        read([settings(BUOY_WORKERS=workers), workload()])


def test_manifests_without_the_database_are_refused() -> None:
    """A budget of nothing would always hold."""
    with pytest.raises(EnvironmentFault, match="BUOY_DB_HOST"):
        read([workload()])


def test_an_object_of_another_shape_is_refused() -> None:
    """Rather than misread."""
    with pytest.raises(EnvironmentFault, match="a Deployment is not as expected"):
        read([settings(), workload(replicas="three")])
