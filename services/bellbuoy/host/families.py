"""The host's own metric families, exported for every service."""

from bellbuoy.metrics import counter, gauge
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

FAMILIES = (ACCEPTED, REJECTED, ACTIVE, LIMIT, ACCEPT_PAUSES, DEATHS, *TASK_FAMILIES)
