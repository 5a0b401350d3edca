"""``process_*`` and ``python_*`` for each process of the container, told apart by a label.

The names are those of prometheus_client, which every dashboard knows. What the kernel tells of a
process anybody may ask; what its garbage collector did only it can tell, on the scoreboard.
"""

from collections.abc import Iterator

from prometheus_client import PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric

from bellbuoy.scoreboard import COLLECTOR
from bellbuoy.snapshot import Process, Snapshot

_HELP = {
    "collections": "Number of times this generation was collected",
    "collected": "Objects collected during gc",
    "uncollectable": "Uncollectable objects found during GC",
}
_NAMES = {
    "collections": "python_gc_collections",
    "collected": "python_gc_objects_collected",
    "uncollectable": "python_gc_objects_uncollectable",
}


def process_metrics(snapshot: Snapshot) -> Iterator[Metric]:
    """Yield every family."""
    yield from PlatformCollector(registry=None).collect()
    yield from _kernel(snapshot)
    yield from _collector(snapshot)


def _kernel(snapshot: Snapshot) -> Iterator[Metric]:
    merged: dict[str, Metric] = {}
    for label, pid in _labelled(snapshot):
        for metric in ProcessCollector(pid=lambda pid=pid: pid, registry=None).collect():  # type: ignore[misc]  # mypy infers no type for such a lambda
            family = merged.setdefault(
                metric.name, Metric(metric.name, metric.documentation, metric.type)
            )
            for sample in metric.samples:
                family.add_sample(sample.name, {"process": label}, sample.value)
    yield from merged.values()


def _collector(snapshot: Snapshot) -> Iterator[Metric]:
    families = {
        what: CounterMetricFamily(_NAMES[what], _HELP[what], labels=("process", "generation"))
        for what in _NAMES
    }
    for label, process in _everybody(snapshot):
        for (what, generation), value in zip(COLLECTOR, process.collections, strict=True):
            families[what].add_metric((label, str(generation)), value)
    yield from families.values()


def _labelled(snapshot: Snapshot) -> Iterator[tuple[str, int]]:
    yield "supervisor", snapshot.supervisor
    for process in snapshot.processes:
        yield label(process), process.pid


def _everybody(snapshot: Snapshot) -> Iterator[tuple[str, Process]]:
    if snapshot.own is not None:
        yield "supervisor", snapshot.own
    for process in snapshot.processes:
        yield label(process), process


def label(process: Process) -> str:
    """Return what a process is called in the label ``process``."""
    return "admin" if process.admin else f"worker-{process.slot}"
