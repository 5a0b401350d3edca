"""The numbers in k8s/ together never want more connections than PostgreSQL has."""

from pathlib import Path

import pytest

from bellbuoy.budget import METRICS, Tenant
from bellbuoy.cli.manifests import read
from tests.repository.kustomize import RENDERINGS, changed, rendering
from tests.repository.tree import text


@pytest.mark.parametrize("name", RENDERINGS)
def test_every_overlay_holds_its_budget(name: str) -> None:
    """At the worst moment: the autoscaler's maximum, in the middle of a rollout."""
    budget = read(rendering(name).objects)
    assert budget.holds, budget.report()


def test_the_production_overlay_is_counted_in_full() -> None:
    """Every number comes from the manifests, none from a default of the reader."""
    budget = read(rendering("production").objects)
    (tenant,) = budget.tenants
    assert tenant == Tenant(
        name="bellbuoy-api", replicas=10, surge=1, leaving=10, workers=1, pool_size=5
    )
    assert (budget.jobs, budget.max_connections) == (1, 200)


def test_a_larger_maximum_breaks_it() -> None:
    """The check can fail."""
    file = "k8s/components/autoscaling/api.yaml"
    budget = read(changed("production", (file, "maxReplicas: 10", "maxReplicas: 40")).objects)
    assert not budget.holds


def test_the_metrics_role_has_the_connections_that_are_counted() -> None:
    """The role's limit and the budget's term are one number."""
    assert f"ROLE bellbuoy_metrics CONNECTION LIMIT {METRICS};" in text(
        Path("deploy/postgres/roles.sql")
    )
