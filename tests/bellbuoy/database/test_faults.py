"""Every exception of the driver means one of five things."""

import asyncpg
import pytest

from bellbuoy.database.faults import (
    FaultError,
    Kind,
    TransactionFault,
    describe,
    sqlstate,
    strip,
    while_asking,
    while_connecting,
)


def server_error(state: str, message: str = "no", detail: str | None = None) -> Exception:
    """Return what asyncpg raises for an ErrorResponse."""
    fields = {"S": "ERROR", "C": state, "M": message} | ({"D": detail} if detail else {})
    error: Exception = asyncpg.PostgresError.new(fields)
    return error


@pytest.mark.parametrize(
    "state, kind",
    [
        ("22003", Kind.WRONG),
        ("23505", Kind.WRONG),
        ("42P01", Kind.WRONG),
        ("XX000", Kind.WRONG),
        ("25006", Kind.DEMOTED),
        ("25P03", Kind.LOST),
        ("57P01", Kind.LOST),
        ("57P02", Kind.LOST),
        ("57P03", Kind.LOST),
        ("57P05", Kind.LOST),
        ("08006", Kind.LOST),
        ("53300", Kind.BUSY),
        ("53100", Kind.BUSY),
        ("55P03", Kind.BUSY),
        ("57014", Kind.BUSY),
        ("40001", Kind.BUSY),
        ("40P01", Kind.BUSY),
    ],
)
def test_the_servers_word_decides_what_a_failed_statement_means(state: str, kind: Kind) -> None:
    """SQLSTATE, as PostgreSQL's appendix A has it."""
    fault = while_asking(server_error(state), closed=False)
    assert (fault.kind, fault.sqlstate) == (kind, state)


@pytest.mark.parametrize(
    "error, closed, kind",
    [
        pytest.param(TimeoutError(), False, Kind.OUTAGE, id="no answer in time"),
        pytest.param(ConnectionResetError(), True, Kind.LOST, id="reset"),
        pytest.param(asyncpg.ConnectionDoesNotExistError("closed"), True, Kind.LOST, id="closed"),
        pytest.param(asyncpg.InterfaceError("connection is closed"), True, Kind.LOST, id="stale"),
        pytest.param(asyncpg.InterfaceError("in progress"), False, Kind.WRONG, id="misused"),
        pytest.param(ValueError("too large"), False, Kind.WRONG, id="not encodable"),
    ],
)
def test_without_a_word_of_the_server_the_connection_decides(
    error: Exception, *, closed: bool, kind: Kind
) -> None:
    """Silence is an outage, a closed connection is lost, the rest is our mistake."""
    assert while_asking(error, closed=closed).kind is kind


@pytest.mark.parametrize(
    "error, kind",
    [
        (ConnectionRefusedError(), Kind.OUTAGE),
        (TimeoutError(), Kind.OUTAGE),
        (server_error("57P03"), Kind.OUTAGE),
        (server_error("28P01"), Kind.OUTAGE),
        (server_error("53300"), Kind.BUSY),
        (ConnectionResetError(), Kind.LOST),
        (asyncpg.ConnectionDoesNotExistError("closed"), Kind.LOST),
    ],
    ids=["refused", "silent", "starting", "wrong password", "full", "reset", "closed"],
)
def test_who_cannot_connect_meets_an_outage_with_two_exceptions(
    error: Exception, kind: Kind
) -> None:
    """A full server works for those who are connected; a cut may have been an accident."""
    assert while_connecting(error).kind is kind


def test_the_servers_last_word_counts_when_it_closed_the_connection() -> None:
    """The driver says 'closed' and keeps FATAL 57P01 as the cause."""
    error = asyncpg.ConnectionDoesNotExistError("closed")
    assert sqlstate(error) is None
    error.__cause__ = server_error("57P01")
    assert sqlstate(error) == "57P01"


def test_detail_is_neither_described_nor_kept() -> None:
    """It quotes rows, and the cause of an error is logged."""
    error = server_error("23505", "duplicate key", "Key (email)=(ada@example.com) exists.")
    assert "ada" in str(error)
    assert describe(error) == "UniqueViolationError: duplicate key"
    strip(error)
    assert "ada" not in str(error)


def test_a_wrong_value_is_not_kept() -> None:
    """PostgreSQL quotes it in the message itself, and the driver does so twice."""
    theirs = server_error("22P02", 'invalid input syntax for type bigint: "ada@example.com"')
    strip(theirs)
    assert str(theirs) == "invalid input syntax for type bigint"
    ours = asyncpg.DataError("invalid input for query argument $12: 'ada' (not an int)")
    ours.__cause__ = TypeError("'ada'")
    assert "ada" in str(ours)
    strip(ours)
    assert str(ours) == "invalid input for query argument $12"
    assert ours.__cause__ is ours.__context__ is None


def test_an_error_without_a_message_is_described_by_its_type() -> None:
    """A log line is never empty."""
    assert describe(TimeoutError()) == "TimeoutError"


def test_a_violated_constraint_has_its_name() -> None:
    """Only a violation has one."""
    violation = asyncpg.PostgresError.new({"C": "23505", "M": "no", "n": "users_email_key"})
    assert while_asking(violation, closed=False).constraint == "users_email_key"
    assert while_asking(server_error("22003"), closed=False).constraint is None
    assert while_asking(OSError(), closed=True).constraint is None


def test_a_transaction_s_own_fault_says_itself_what_it_means() -> None:
    """Even if its connection was closed over it."""
    fault = while_asking(TransactionFault(Kind.BUSY, "57014", "too long"), closed=True)
    assert (fault.kind, fault.sqlstate, fault.reason) == (Kind.BUSY, "57014", "too long")
    assert str(FaultError(fault)) == "too long"


@pytest.mark.parametrize(
    "error",
    [asyncpg.InvalidCachedStatementError("no"), asyncpg.OutdatedSchemaCacheError("no")],
)
def test_a_schema_that_changed_under_a_statement_is_a_matter_of_time(error: Exception) -> None:
    """Asked again it is prepared again; it is no bug of the caller's and none of ours."""
    assert while_asking(error, closed=False).kind is Kind.BUSY
