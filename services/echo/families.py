"""The echo service's metric families."""

from bellbuoy.metrics import counter, histogram

MESSAGES = counter("echo_messages_total", "Pieces of data as they arrived.")
RECEIVED = counter("echo_received_bytes_total", "Bytes taken from clients to be echoed.")
SENT = counter("echo_sent_bytes_total", "Echoed bytes handed to the kernel.")
CLOSED = counter(
    "echo_connections_closed_total",
    "Connections that ended, by reason.",
    labels={
        "reason": (
            "client",
            "error",
            "idle_timeout",
            "write_timeout",
            "write_budget",
            "half_close_timeout",
            "max_age",
            "drain",
            "abort",
        )
    },
)
DURATION = histogram(
    "echo_connection_duration_seconds",
    "Life of the connections that ended.",
    buckets=(0.01, 0.1, 1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400),
)
PAUSES = counter("echo_write_paused_total", "Times a client read slower than it wrote.")

FAMILIES = (MESSAGES, RECEIVED, SENT, CLOSED, DURATION, PAUSES)
