"""Faults: what a driver's exception means for us, decided purely.

Law of this file: the server's SQLSTATE decides where there is one; what remains is told by
whether an answer came at all. PostgreSQL's DETAIL, which quotes rows, goes no further.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto

import asyncpg


class Kind(Enum):
    """What to do about it."""

    OUTAGE = auto()
    """PostgreSQL cannot be reached or is silent: stop asking."""
    LOST = auto()
    """This connection is gone, and others with it perhaps: replace them; a read may be repeated."""
    DEMOTED = auto()
    """The server takes no writes any more: replace the connections."""
    BUSY = auto()
    """PostgreSQL lives and refuses: it is full, or something took too long."""
    WRONG = auto()
    """The statement or its values are wrong: ours to mend."""


@dataclass(frozen=True)
class Fault:
    """A driver's exception, understood.

    Args:
        kind: What to do.
        sqlstate: PostgreSQL's code, or ``None`` when it sent none.
        reason: For the log.
        constraint: The rule of a table that was violated, if it was one with a name.
    """

    kind: Kind
    sqlstate: str | None
    reason: str
    constraint: str | None = None


class FaultError(Exception):
    """A fault on its way to whoever knows what it means for the caller."""

    def __init__(self, fault: Fault) -> None:
        """Carry ``fault``."""
        super().__init__(fault.reason)
        self.fault = fault


class TransactionFault(Exception):
    """A transaction failed though no statement of it did.

    Args:
        kind: What to do.
        sqlstate: PostgreSQL's code for the like.
        reason: For the log.
    """

    def __init__(self, kind: Kind, sqlstate: str, reason: str) -> None:
        """Keep what a :class:`Fault` is made of."""
        super().__init__(reason)
        self.kind = kind
        self.sqlstate = sqlstate


_LOST_STATES = frozenset(
    {
        "25P03",  # idle_in_transaction_session_timeout
        "57P01",  # admin_shutdown: pg_terminate_backend, a fast shutdown
        "57P02",  # crash_shutdown
        "57P03",  # cannot_connect_now
        "57P04",  # database_dropped
        "57P05",  # idle_session_timeout
    }
)
_BUSY_STATES = frozenset(
    {
        "40001",  # serialization_failure
        "40P01",  # deadlock_detected
        "55P03",  # lock_not_available: lock_timeout
        "57014",  # query_canceled: statement_timeout
    }
)
_CUT = (ConnectionError, asyncpg.ConnectionDoesNotExistError)
_STALE = (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)
"""The schema changed under a prepared statement. Outside a transaction the driver prepares it
again itself; inside one everything is undone, and whoever asks again is served."""
_READ_ONLY = "25006"
_LOST_CLASS = "08"  # connection exceptions
_FULL_CLASS = "53"  # insufficient resources
_VALUE_CLASS = "22"  # data exceptions
_VALUE = re.compile(r': | ?"')
_BAD_VALUE = "22000"  # data_exception: the driver itself could not encode a value


def while_connecting(error: Exception) -> Fault:
    """Return what it means that a connection could not be opened.

    A server that is merely full has other connections at work, and a connection that was cut
    while it opened may have been somebody's target. Anything else is an outage, a wrong password
    included: nothing would be gained by asking at each request.
    """
    state = sqlstate(error)
    if state is not None and state.startswith(_FULL_CLASS):
        kind = Kind.BUSY
    elif (
        state is None and isinstance(error, _CUT) and not isinstance(error, ConnectionRefusedError)
    ):
        kind = Kind.LOST
    else:
        kind = Kind.OUTAGE
    return Fault(kind, state, describe(error))


def while_asking(error: Exception, *, closed: bool) -> Fault:
    """Return what it means that a statement failed.

    Args:
        error: What the driver raised.
        closed: Whether the connection is gone.
    """
    if isinstance(error, TransactionFault):
        return Fault(error.kind, error.sqlstate, str(error))
    state = sqlstate(error)
    return Fault(_kind(error, state, closed=closed), state, describe(error), _constraint(error))


def sqlstate(error: BaseException | None) -> str | None:
    """Return PostgreSQL's code for an error, or ``None`` when it sent none."""
    if isinstance(error, asyncpg.ConnectionDoesNotExistError):
        # The driver's own word for "closed"; the server's last one, if any, is the cause.
        return sqlstate(error.__cause__)
    if isinstance(error, asyncpg.PostgresError):
        return str(error.sqlstate) if error.sqlstate else None
    # The driver's refusal to encode a value is an InterfaceError and a ValueError.
    return _BAD_VALUE if isinstance(error, ValueError) else None


def describe(error: BaseException) -> str:
    """Return the error's type and message, without DETAIL and HINT."""
    message = str(error.args[0]) if error.args and isinstance(error, asyncpg.PostgresError) else ""
    text = message or str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def strip(error: BaseException) -> None:
    """Remove what quotes rows and values before the error is kept as a cause and logged.

    That is the DETAIL; and where a value is wrong (class 22, the driver's own refusals included),
    the message from the value on, and what the driver's codec said.
    """
    if isinstance(error, asyncpg.PostgresError):
        error.detail = None
    if (sqlstate(error) or "").startswith(_VALUE_CLASS):
        error.args = tuple(_VALUE.split(str(each), maxsplit=1)[0] for each in error.args)
        error.__cause__ = error.__context__ = None


def _constraint(error: Exception) -> str | None:
    return getattr(error, "constraint_name", None)


def _kind(error: Exception, state: str | None, *, closed: bool) -> Kind:
    if isinstance(error, TimeoutError):
        return Kind.OUTAGE
    if state == _READ_ONLY:
        return Kind.DEMOTED
    if isinstance(error, _STALE):
        return Kind.BUSY
    if closed or isinstance(error, OSError) or state in _LOST_STATES:
        return Kind.LOST
    if state is None or state.startswith(_LOST_CLASS):
        return Kind.LOST if isinstance(error, asyncpg.PostgresError) else Kind.WRONG
    busy = state in _BUSY_STATES or state.startswith(_FULL_CLASS)
    return Kind.BUSY if busy else Kind.WRONG
