"""The scoreboard as Prometheus metrics: the one place that knows prometheus_client."""

import platform
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

import bellbuoy
from bellbuoy.host.loop import loop_version
from bellbuoy.host.probes import is_ready
from bellbuoy.host.processmetrics import process_metrics
from bellbuoy.metrics import Family
from bellbuoy.settings import HostSettings
from bellbuoy.snapshot import Series, Snapshot


class SnapshotCollector(Collector):
    """Renders a snapshot, taken anew for each scrape.

    Args:
        service: The service's name, for ``bellbuoy_build_info``.
        settings: The host's settings, for what runs.
        take: Returns the snapshot.
    """

    def __init__(self, service: str, settings: HostSettings, take: Callable[[], Snapshot]) -> None:
        """Collect nothing yet."""
        self._service = service
        self._settings = settings
        self._take = take

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        snapshot = self._take()
        yield self._build_info()
        yield self._loop_info()
        yield _flag("bellbuoy_ready", "1 while traffic should be sent here.", is_ready(snapshot))
        yield _flag("bellbuoy_shutting_down", "1 once told to stop.", snapshot.stopping)
        yield _workers(snapshot)
        for family, series in snapshot.families:
            yield _metric(family, series)
        yield from process_metrics(snapshot)

    def describe(self) -> Iterable[Metric]:
        """Name nothing in advance: the families are the snapshot's."""
        return ()

    def _build_info(self) -> Metric:
        return _info(
            "bellbuoy_build_info",
            service=self._service,
            version=bellbuoy.__version__,
            revision=self._settings.revision,
            python_version=platform.python_version(),
        )

    def _loop_info(self) -> Metric:
        loop = self._settings.loop
        return _info("asyncio_loop_info", implementation=loop, version=loop_version(loop))


def render(collector: SnapshotCollector, accept: str) -> tuple[bytes, str]:
    """Return the metrics and their content type, as text or OpenMetrics as ``accept`` asks."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def _info(name: str, **labels: str) -> Metric:
    info = GaugeMetricFamily(name, "Always 1; the labels say what runs.", labels=tuple(labels))
    info.add_metric(tuple(labels.values()), 1)
    return info


def _flag(name: str, meaning: str, value: bool) -> Metric:  # noqa: FBT001 - the sample
    return GaugeMetricFamily(name, meaning, value=float(value))


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
