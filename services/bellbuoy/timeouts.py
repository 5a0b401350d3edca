"""Every deadline of the stack, in seconds, in one place, because they must nest.

::

    statement < command < request < drain
    head, body < request
    turn + acquire + connect + transaction + command < request
    delay + grace + drain + close < supervisor < container stop

A body that comes slowly, or another request with the same key, may leave a write less than that:
the request's deadline then says that the outcome is not known.
"""

STATEMENT = 4.0
"""PostgreSQL ends a statement itself (``ALTER ROLE … SET statement_timeout``)."""

COMMAND = 5.0
"""The driver gives up on an answer; later than STATEMENT, so only a silent server gets here."""

CONNECT = 1.5
"""Opening a database connection, so that a refusal is known in less than two seconds."""

ACQUIRE = 1.0
"""Waiting for a database connection, an opening one included."""

TURN = 0.4
"""Waiting for a turn where only so many requests are served at once."""

HEAD = 10.0
"""Sending a request's head, from its first byte; of the first request, from the connection on."""

BODY = 10.0
"""Sending a request's body, from when its head was complete."""

TRANSACTION = 7.0
"""The statements of one transaction together, without COMMIT, which has a command's time."""

REQUEST = 15.0
"""Answering one HTTP request."""

DRAIN = 20.0
"""Finishing what is in flight after the last accept."""

DRAIN_DELAY = 10.0
"""Accepting on while load balancers notice; the setting in Kubernetes, 0 by default."""

SETTLE = 1.0
"""Waiting for those whose TLS handshake or PROXY header is not complete when nobody else comes."""

GRACE = 1.0
"""Answering the next request of each idle keep-alive connection before closing it."""

LINGER = 2.0
"""Reading on after our FIN until the client's, so that no reset destroys what it has not read."""

CLOSE = 5.0
"""Closing a worker's resources."""

HURRY = 2.0
"""What is left of a drain after the second signal."""

CONTAINER_STOP = 60.0
"""``stop_grace_period`` and ``terminationGracePeriodSeconds``."""

_MARGIN = 3.0


def supervisor(delay: float, drain: float) -> float:
    """Return how long the supervisor waits for its workers before it kills them."""
    return delay + SETTLE + GRACE + drain + CLOSE + _MARGIN
