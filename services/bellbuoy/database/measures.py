"""Measures: what the pool counts, and the metric families it is exported as."""

import math
from collections.abc import Sequence

from bellbuoy.database.availability import State
from bellbuoy.instruments import Counter, Histogram, Instruments
from bellbuoy.metrics import Family, counter, gauge, histogram
from bellbuoy.retrymetrics import BUDGET_EXHAUSTED

SCHEMA_READ = "schema.read"
"""The pool's own operation."""

CONNECT = "connect"
"""Opening a connection: it has errors, and its duration is part of the acquiring."""

_CLASSES = ("08", "22", "23", "25", "40", "42", "53", "55", "57", "other", "none")
"""Classes of SQLSTATE; ``none`` is a statement that got no answer."""

# A worker that has not asked yet knows nothing, and takes no part in the minimum of all.
_UP = {State.UNKNOWN: math.nan, State.UP: 1.0, State.DOWN: 0.0}

UP = gauge(
    "db_up",
    "1 while PostgreSQL answers, 0 while it does not; absent while no worker has asked.",
    merge="min",
    otherwise=math.nan,
)
CONNECTIONS = gauge(
    "db_pool_connections", "Open database connections.", labels={"state": ("idle", "used")}
)
CONNECTIONS_MAX = gauge("db_pool_connections_max", "Database connections the pools may open.")
CONNECTIONS_CREATED = counter(
    "db_pool_connections_created_total", "Database connections opened; many mean that they break."
)
PENDING = gauge("db_pool_pending_acquires", "Statements waiting for a database connection.")
ACQUIRE_DURATION = histogram(
    "db_pool_acquire_duration_seconds", "Waiting for a database connection, opening it included."
)
ACQUIRE_TIMEOUTS = counter(
    "db_pool_acquire_timeouts_total", "Statements refused because no database connection got free."
)
REFUSED = counter(
    "db_refused_total", "Statements refused at once because PostgreSQL does not answer."
)
WRITES_REFUSED = counter(
    "db_writes_refused_total", "Writes refused at once because too many are under way."
)
RETRIES = counter(
    "db_retries_total", "Reads repeated because their connection was lost under them."
)
BATCH_KEYS = histogram(
    "db_batch_keys",
    "Keys that one query of a batch asks for.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
SCHEMA_VERSION = gauge(
    "db_schema_version", "The newest migration that the database has.", merge="max"
)


def families(operations: Sequence[str]) -> tuple[Family, ...]:
    """Return the metric families of a pool that runs ``operations``."""
    return (
        UP,
        CONNECTIONS,
        CONNECTIONS_MAX,
        CONNECTIONS_CREATED,
        PENDING,
        ACQUIRE_DURATION,
        ACQUIRE_TIMEOUTS,
        REFUSED,
        WRITES_REFUSED,
        RETRIES,
        BUDGET_EXHAUSTED,
        BATCH_KEYS,
        SCHEMA_VERSION,
        _durations(operations),
        _errors(operations),
    )


class Measures:
    """The instruments of one pool."""

    def __init__(self, instruments: Instruments, operations: Sequence[str]) -> None:
        """Count into ``instruments``, which has the :func:`families` of ``operations``."""
        self._instruments = instruments
        self._error_family = _errors(operations)
        self.up = instruments.gauge(UP)
        self.idle = instruments.gauge(CONNECTIONS, state="idle")
        self.used = instruments.gauge(CONNECTIONS, state="used")
        self.most = instruments.gauge(CONNECTIONS_MAX)
        self.created = instruments.counter(CONNECTIONS_CREATED)
        self.pending = instruments.gauge(PENDING)
        self.acquire = instruments.histogram(ACQUIRE_DURATION)
        self.acquire_timeouts = instruments.counter(ACQUIRE_TIMEOUTS)
        self.refused = instruments.counter(REFUSED)
        self.writes_refused = instruments.counter(WRITES_REFUSED)
        self.retries = instruments.counter(RETRIES)
        self.budget_exhausted = instruments.counter(BUDGET_EXHAUSTED)
        self.batch_keys = instruments.histogram(BATCH_KEYS)
        self.schema_version = instruments.gauge(SCHEMA_VERSION)
        durations = _durations(operations)
        self.durations: dict[str, Histogram] = {
            name: instruments.histogram(durations, operation=name)
            for name in durations.labels["operation"]
        }

    def tell(self, state: State) -> None:
        """Tell whether PostgreSQL is worth asking."""
        self.up.set(_UP[state])

    def error(self, operation: str, sqlstate: str | None) -> Counter:
        """Return the counter of an operation's failures with this SQLSTATE."""
        known = "none" if sqlstate is None else sqlstate[:2]
        return self._instruments.counter(
            self._error_family,
            operation=operation,
            sqlstate_class=known if known in _CLASSES else "other",
        )


def _durations(operations: Sequence[str]) -> Family:
    return histogram(
        "db_query_duration_seconds",
        "From the sending of a statement or a BEGIN to its last answer, or to giving up.",
        labels={"operation": (*operations, SCHEMA_READ)},
    )


def _errors(operations: Sequence[str]) -> Family:
    return counter(
        "db_query_errors_total",
        "Statements that failed, and connections that could not be opened.",
        labels={"operation": (*operations, SCHEMA_READ, CONNECT), "sqlstate_class": _CLASSES},
    )
