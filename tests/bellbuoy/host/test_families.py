"""The host's metric families obey the naming rules, and stay few."""

from collections.abc import Sequence

import pytest

from bellbuoy.host.families import FAMILIES
from bellbuoy.metrics import Family, Layout
from bellbuoy.taskmetrics import TASKS
from echo.families import FAMILIES as ECHO

EVERY = [*FAMILIES, *ECHO]


@pytest.mark.parametrize("family", EVERY, ids=lambda family: str(family.name))
def test_a_family_is_named_as_prometheus_advises(family: Family) -> None:
    """``_total`` is for counters and all of them; a unit is in the name; a help is a sentence."""
    assert (family.kind == "counter") == family.name.endswith("_total")
    assert family.kind != "histogram" or family.name.endswith(("_seconds", "_bytes"))
    assert family.help.endswith(".")
    assert family.name.startswith(("bellbuoy_", "asyncmonitor_", "asyncio_", "echo_"))


def test_no_name_is_declared_twice() -> None:
    """The layout would refuse it at the start of the service."""
    assert Layout(EVERY).size > 0


def test_a_scrape_is_bounded() -> None:
    """At most 2,500 samples for a service, even with every task name taken."""
    assert _samples(EVERY, names=TASKS.capacity) <= 2_500


def _samples(families: Sequence[Family], names: int) -> int:
    """Return how many samples are exported when so many run-time names are known."""
    count = 0
    for family in families:
        width = family.width + 1 if family.kind == "histogram" else 1
        count += (names if family.names else 1) * family.fixed * width
    return count
