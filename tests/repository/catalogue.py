"""Every metric that the stack exports, with its labels and their values where those are known."""

from collections.abc import Iterator, Mapping
from functools import cache

from prometheus_client import ProcessCollector

from api.service import ApiService
from bellbuoy.host.families import FAMILIES
from bellbuoy.metrics import Family
from echo.families import FAMILIES as ECHO
from tests.repository.promql import Selector

Labels = Mapping[str, tuple[str, ...] | None]
"""Label name to its values; None where they arise at run time."""

TARGET: Labels = {"job": ("echo", "api"), "instance": None}
"""What Prometheus puts on each series that it scrapes."""

# What the exposition adds to the families: bellbuoy/host/exposition.py.
ADDED: dict[str, Labels] = {
    "up": {},
    "bellbuoy_build_info": {
        "service": ("echo", "api"),
        "version": None,
        "revision": None,
        "python_version": None,
    },
    "bellbuoy_ready": {},
    "bellbuoy_shutting_down": {},
    "bellbuoy_workers": {"state": ("starting", "ready", "draining", "stopped")},
    "asyncio_loop_info": {"implementation": ("uvloop", "asyncio"), "version": None},
    "python_info": dict.fromkeys(("implementation", "major", "minor", "patchlevel", "version")),
    **{
        f"python_gc_{what}_total": {"process": None, "generation": None}
        for what in ("collections", "objects_collected", "objects_uncollectable")
    },
}


@cache
def exported() -> Mapping[str, Labels]:
    """Return the labels of each sample name."""
    found: dict[str, Labels] = {name: {**TARGET, **labels} for name, labels in ADDED.items()}
    for metric in ProcessCollector(registry=None).collect():
        for sample in metric.samples:
            found[sample.name] = {**TARGET, "process": None}
    for family in (*FAMILIES, *ECHO, *ApiService.families):
        found |= _samples(family)
    return found


def _samples(family: Family) -> dict[str, Labels]:
    run_time = dict.fromkeys(family.names.labels) if family.names else {}
    labels = {**TARGET, **run_time, **family.labels}
    if family.kind != "histogram":
        return {family.name: labels}
    edges = (*map(str, family.buckets), "+Inf")
    return {
        f"{family.name}_bucket": {**labels, "le": edges},
        f"{family.name}_sum": labels,
        f"{family.name}_count": labels,
    }


def complaints(selector: Selector, recorded: Mapping[str, Labels]) -> Iterator[str]:
    """Yield what a selector asks for that nobody exports or records."""
    labels = exported().get(selector.metric, recorded.get(selector.metric))
    if labels is None:
        yield f"no metric {selector.metric}"
        return
    for name, (operator, value) in selector.matchers.items():
        values = labels.get(name, ())
        if name not in labels:
            yield f"{selector.metric} has no label {name}"
        elif operator == "=" and values is not None and value not in values and "$" not in value:
            yield f"{selector.metric} has no {name} {value!r}"
