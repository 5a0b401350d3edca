"""The contestants: each makes a counted call out of a coroutine function that does nothing.

Law of this file: imports that only one contestant needs are inside of it, so that each process
pays for its own; prometheus_client decides at its import whether it shares with other processes.
"""

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable
from typing import Any

Call = Callable[[], Awaitable[int]]


async def work() -> int:
    """Do nothing, so that only the call is measured."""
    return 1


def undecorated() -> Call:
    """Return the call that nobody counts."""
    return work


def naive() -> Call:
    """Return what one writes first: a dictionary for each name, updated in place.

    It forgets concurrent runs of one name, keeps no histogram, tells cancellation from success
    in no way and cannot tell what is running; AsyncMonitor does all that.
    """
    every: dict[str, dict[str, Any]] = {
        "work": {"calls": 0, "failures": 0, "seconds": 0.0, "started": {}}
    }

    @functools.wraps(work)
    async def tracked(*args: Any, **kwargs: Any) -> int:
        stats = every["work"]
        stats["calls"] += 1
        start = stats["started"]["work"] = time.time()
        try:
            return await work(*args, **kwargs)
        except Exception:
            stats["failures"] += 1
            raise
        finally:
            stats["seconds"] += time.time() - start
            stats["started"].pop("work", None)

    return tracked


def bellbuoy() -> Call:
    """Return a call as a worker counts it: inspected, and swept to a scoreboard every 0.1 s."""
    from bellbuoy.host.families import FAMILIES  # noqa: PLC0415
    from bellbuoy.host.pulse import Pulse  # noqa: PLC0415
    from bellbuoy.host.vitals import Vitals  # noqa: PLC0415
    from bellbuoy.monitor import AsyncMonitor  # noqa: PLC0415
    from bellbuoy.scoreboard import Scoreboard  # noqa: PLC0415
    from bellbuoy.taskmetrics import TaskExport  # noqa: PLC0415

    slot = Scoreboard(FAMILIES, 2).workers[0]
    slot.take(admin=False)
    instruments, monitor = slot.instruments(), AsyncMonitor()
    TaskExport(monitor, instruments)
    vitals = Vitals(slot, instruments, threshold=60.0)
    Pulse(vitals, instruments, monitor, 0, lambda: None, lambda: None)
    return monitor.track_task("work")(work)


def prometheus_async() -> Call:
    """Return a call with prometheus-async's three decorators, which together know as much."""
    import prometheus_async.aio  # noqa: PLC0415
    from prometheus_client import Counter, Gauge, Histogram  # noqa: PLC0415

    aio = prometheus_async.aio
    timed = aio.time(Histogram("work_seconds", "How long."))(work)
    counted = aio.count_exceptions(Counter("work_exceptions", "How many."))(timed)
    gauge = Gauge("work_running", "Now.", multiprocess_mode="livesum")
    return aio.track_inprogress(gauge)(counted)


def opentelemetry() -> Call:
    """Return a call as OpenTelemetry's instrumentation of asyncio wraps it, metrics only."""
    from opentelemetry.instrumentation.asyncio import AsyncioInstrumentor  # noqa: PLC0415
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader  # noqa: PLC0415

    instrumentor = AsyncioInstrumentor()
    instrumentor.instrument(meter_provider=MeterProvider([InMemoryMetricReader()]))

    def traced() -> Awaitable[int]:
        return instrumentor.trace_coroutine(work())  # type: ignore[no-untyped-call]

    return traced


CONTESTANTS: dict[str, Callable[[], Call]] = {
    "undecorated": undecorated,
    "bellbuoy AsyncMonitor": bellbuoy,
    "naive dictionary": naive,
    "prometheus-async": prometheus_async,
    "prometheus-async, multi-process": prometheus_async,
    "OpenTelemetry asyncio": opentelemetry,
}


async def measure(name: str, seconds: float) -> float:
    """Return the microseconds of processor time of one call: neighbours matter less.

    Timers run in between, as they do in a service; of ours, the inspector's looks once a second.
    """
    call = CONTESTANTS[name]()
    for _ in range(20_000):
        await call()  # warm up
    calls, start = 0, time.process_time()
    while (spent := time.process_time() - start) < seconds:
        for _ in range(1000):
            await call()
        await asyncio.sleep(0)
        calls += 1000
    return spent / calls * 1e6
