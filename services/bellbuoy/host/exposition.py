"""The scoreboard as Prometheus metrics: the one place that knows prometheus_client."""

import platform
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

import bellbuoy
from bellbuoy.metrics import Family
from bellbuoy.snapshot import Series, Snapshot


class SnapshotCollector(Collector):
    """Renders a snapshot, taken anew for each scrape.

    Args:
        service: The service's name, for ``bellbuoy_build_info``.
        take: Returns the snapshot.
    """

    def __init__(self, service: str, take: Callable[[], Snapshot]) -> None:
        """Collect nothing yet."""
        self._service = service
        self._take = take

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        snapshot = self._take()
        yield self._build_info()
        yield _workers(snapshot)
        for family, series in snapshot.families:
            yield _metric(family, series)
        yield from _processes(snapshot)

    def describe(self) -> Iterable[Metric]:
        """Name nothing in advance: the families are the snapshot's."""
        return ()

    def _build_info(self) -> Metric:
        info = GaugeMetricFamily(
            "bellbuoy_build_info",
            "Always 1; the labels say what runs.",
            labels=("service", "version", "python_version"),
        )
        info.add_metric((self._service, bellbuoy.__version__, platform.python_version()), 1)
        return info


def render(collector: SnapshotCollector, accept: str) -> tuple[bytes, str]:
    """Return the metrics and their content type, as text or OpenMetrics as ``accept`` asks."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def _metric(family: Family, series: Iterable[Series]) -> Metric:
    if family.kind == "histogram":
        return _histogram(family, series)
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = kind(family.name, family.help, labels=family.label_names)
    for each in series:
        metric.add_metric(each.labels, each.value)
    return metric


def _histogram(family: Family, series: Iterable[Series]) -> Metric:
    metric = HistogramMetricFamily(family.name, family.help, labels=family.label_names)
    edges = [*map(str, family.buckets), "+Inf"]
    for each in series:
        *counts, total = each.cells
        metric.add_metric(
            each.labels, list(zip(edges, accumulate(counts), strict=True)), sum_value=total
        )
    return metric


def _workers(snapshot: Snapshot) -> Metric:
    metric = GaugeMetricFamily("bellbuoy_workers", "Traffic workers, by state.", labels=("state",))
    states = [process.state.name.lower() for process in snapshot.traffic]
    for state in ("starting", "ready", "draining", "stopped"):
        metric.add_metric((state,), states.count(state))
    return metric


def _processes(snapshot: Snapshot) -> Iterator[Metric]:
    """Yield prometheus_client's ``process_*`` families, with a label for each process."""
    merged: dict[str, Metric] = {}
    for label, pid in _labelled(snapshot):
        for metric in _process_collector(pid).collect():
            family = merged.setdefault(
                metric.name, Metric(metric.name, metric.documentation, metric.type)
            )
            for sample in metric.samples:
                family.add_sample(sample.name, {"process": label}, sample.value)
    yield from merged.values()


def _labelled(snapshot: Snapshot) -> Iterator[tuple[str, int]]:
    yield "supervisor", snapshot.supervisor
    for process in snapshot.processes:
        yield ("admin" if process.admin else f"worker-{process.slot}"), process.pid


def _process_collector(pid: int) -> ProcessCollector:
    return ProcessCollector(pid=lambda: pid, registry=None)
