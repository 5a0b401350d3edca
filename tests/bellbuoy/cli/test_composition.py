"""What compose and settings say of database connections."""

import pytest

from bellbuoy.budget import Tenant
from bellbuoy.cli import composition
from bellbuoy.errors import EnvironmentFault

SETTINGS = {"BUOY_DB_HOST": "postgres", "BUOY_WORKERS": "2", "BUOY_DB_POOL_SIZE": "7"}
COMPOSE = {
    "services": {
        "api": {"environment": SETTINGS, "deploy": {"replicas": 3}, "image": "bellbuoy-api"},
        "migrate": {"environment": SETTINGS, "restart": "no"},
        "echo": {"environment": {"BUOY_WORKERS": "1"}},
        "postgres": {"command": ["postgres", "-c", "max_connections=50"]},
    }
}


def test_what_uses_the_database_is_counted() -> None:
    """Services scale, jobs run once, and nothing surges; the server says how many it takes."""
    budget = composition.read(COMPOSE)
    assert budget.tenants == (
        Tenant(name="api", replicas=3, surge=0, leaving=0, workers=2, pool_size=7),
    )
    assert (budget.jobs, budget.max_connections) == (1, 50)
    assert not budget.holds


@pytest.mark.parametrize("document", [None, [], {}, {"services": 3}, {"services": {"a": {}}}])
def test_what_is_none_is_refused(document: object) -> None:
    """Counting nothing would always hold."""
    with pytest.raises(EnvironmentFault):
        composition.read(document)


def test_settings_are_read_line_by_line() -> None:
    """What is not there has its default."""
    assert composition.settings("BUOY_WORKERS=4\nBUOY_DB_POOL_SIZE=9\nBUOY_HOST=::\n") == {
        "workers": 4,
        "pool_size": 9,
    }
    assert composition.settings("") == {"workers": 1, "pool_size": 5}
    with pytest.raises(EnvironmentFault, match="BUOY_DB_POOL_SIZE is many"):
        composition.settings("BUOY_DB_POOL_SIZE=many")
