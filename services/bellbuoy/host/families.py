"""The host's own metric families, exported for every service."""

from bellbuoy.metrics import counter, gauge, histogram
from bellbuoy.taskmetrics import FAMILIES as TASK_FAMILIES

ACCEPTED = counter("bellbuoy_connections_accepted_total", "Connections handed to the service.")
REJECTED = counter(
    "bellbuoy_connections_rejected_total",
    "Connections that were not served, by reason.",
    labels={"reason": ("limit", "peer_limit", "proxy", "tls", "reset")},
)
ACTIVE = gauge("bellbuoy_connections_active", "Connections that are open.")
LIMIT = gauge("bellbuoy_connections_limit", "Connections the workers hold at most.")
ACCEPT_PAUSES = counter(
    "bellbuoy_accept_pauses_total",
    "Times accepting was paused because the machine was out of descriptors or memory.",
)
DEATHS = counter(
    "bellbuoy_worker_deaths_total",
    "Processes that ended without being told to, by how.",
    labels={"how": ("exit", "signal", "watchdog")},
)

LAG = histogram(
    "asyncio_loop_lag_seconds",
    "How late the event loops of the traffic workers were, measured ten times a second.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
)
BLOCKED = counter(
    "asyncio_loop_blocked_total",
    "Times an event loop was late by BUOY_LOOP_BLOCKED_SECONDS or more; the log has the stack.",
)
TASKS_ALIVE = gauge("asyncio_tasks", "Tasks of the event loops that have not ended.")
LOOP_EXCEPTIONS = counter(
    "asyncio_loop_exceptions_total",
    "Exceptions that nobody handled: of callbacks, protocols and abandoned tasks.",
)

LOOP_FAMILIES = (LAG, BLOCKED, TASKS_ALIVE, LOOP_EXCEPTIONS)

FAMILIES = (
    *(ACCEPTED, REJECTED, ACTIVE, LIMIT, ACCEPT_PAUSES, DEATHS),
    *LOOP_FAMILIES,
    *TASK_FAMILIES,
)
