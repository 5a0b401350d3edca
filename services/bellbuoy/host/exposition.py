"""The scoreboard as Prometheus sees it: everything that a scrape tells."""

import platform
from collections.abc import Callable, Iterator

from prometheus_client.exposition import choose_encoder

import bellbuoy
from bellbuoy.host.loop import loop_version
from bellbuoy.host.probes import is_ready
from bellbuoy.host.processmetrics import ProcessMetrics
from bellbuoy.host.textformat import Exported, TextFormat
from bellbuoy.metrics import Family, gauge
from bellbuoy.settings import HostSettings
from bellbuoy.snapshot import Series, Snapshot

READY = gauge("bellbuoy_ready", "1 while traffic should be sent here.")
SHUTTING_DOWN = gauge("bellbuoy_shutting_down", "1 once told to stop.")
WORKERS = gauge(
    "bellbuoy_workers",
    "Traffic workers, by state.",
    labels={"state": ("starting", "ready", "draining", "stopped")},
)


class Exposition:
    """Renders a snapshot, taken anew for each scrape.

    Args:
        service: The service's name, for ``bellbuoy_build_info``.
        settings: The host's settings, for what runs.
        take: Returns the snapshot.
    """

    def __init__(self, service: str, settings: HostSettings, take: Callable[[], Snapshot]) -> None:
        """Take nothing yet."""
        self._take = take
        self._processes = ProcessMetrics()
        self._text = TextFormat(openmetrics=False)
        self._openmetrics = TextFormat(openmetrics=True)
        self._what_runs = (
            info(
                "bellbuoy_build_info",
                service=service,
                version=bellbuoy.__version__,
                revision=settings.revision,
                python_version=platform.python_version(),
            ),
            info(
                "asyncio_loop_info",
                implementation=settings.loop,
                version=loop_version(settings.loop),
            ),
        )

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics and their content type, as text or OpenMetrics as ``accept`` asks."""
        _, content_type = choose_encoder(accept)
        # All our names are of the old alphabet, which no scheme but these two lets stand as it is.
        for scheme in ("dots", "values"):
            content_type = content_type.replace(f"escaping={scheme}", "escaping=underscores")
        is_openmetrics = content_type.startswith("application/openmetrics-text")
        text = self._openmetrics if is_openmetrics else self._text
        return text.write(self.families()), content_type

    def families(self) -> Iterator[Exported]:
        """Yield every family."""
        snapshot = self._take()
        yield from self._what_runs
        yield _flag(READY, is_ready(snapshot))
        yield _flag(SHUTTING_DOWN, snapshot.stopping)
        yield _workers(snapshot)
        yield from snapshot.families
        yield from self._processes.families(snapshot)


def info(name: str, **labels: str) -> Exported:
    """Return a family whose only series is 1, for what its labels say."""
    allowed = {label: (value,) for label, value in labels.items()}
    family = gauge(name, "Always 1; the labels say what runs.", labels=allowed)
    return family, (Series(tuple(labels.values()), (1.0,)),)


def _flag(family: Family, value: bool) -> Exported:  # noqa: FBT001 - the sample
    return family, (Series((), (float(value),)),)


def _workers(snapshot: Snapshot) -> Exported:
    states = [process.state.name.lower() for process in snapshot.traffic]
    return WORKERS, tuple(
        Series((state,), (float(states.count(state)),)) for state in WORKERS.labels["state"]
    )
