"""The errors tell who must act, and carry what that one needs."""

import inspect

from bellbuoy import errors

ERRORS = [
    each
    for _, each in inspect.getmembers(errors, inspect.isclass)
    if each.__module__ == errors.__name__
]


def test_the_tree_in_the_docstring_names_every_error() -> None:
    """Whoever reads the top of the file knows all of them."""
    drawing = errors.__doc__ or ""
    assert len(ERRORS) == 10
    assert [error for error in ERRORS if error.__name__ not in drawing] == []


def test_every_error_is_a_bellbuoy_error() -> None:
    """One except clause can catch what Bellbuoy raises on purpose."""
    assert [error for error in ERRORS if not issubclass(error, errors.BellbuoyError)] == []


def test_a_settings_error_tells_all_problems_one_a_line() -> None:
    """The operator mends everything in one go."""
    error = errors.SettingsError(["A: wrong", "B: absent"])
    assert error.problems == ("A: wrong", "B: absent")
    assert str(error) == "A: wrong\nB: absent"


def test_an_unavailable_database_is_a_refusal_that_says_when_to_come_back() -> None:
    """Whoever handles refusals handles the database's, too."""
    error = errors.DatabaseUnavailable("no connection is free", 1.5)
    assert isinstance(error, errors.Refused)
    assert (str(error), error.retry_after) == ("no connection is free", 1.5)


def test_a_failed_query_shows_its_name_and_state_only() -> None:
    """Neither the statement nor PostgreSQL's DETAIL can leak through the message."""
    error = errors.QueryFailed("users.by_id", "57014")
    assert (error.operation, error.sqlstate) == ("users.by_id", "57014")
    assert str(error) == "users.by_id failed with SQLSTATE 57014"


def test_a_query_without_an_answer_has_no_state() -> None:
    """The outcome is unknown, and the message says so."""
    assert str(errors.QueryFailed("users.add", None)) == "users.add failed with SQLSTATE unknown"


def test_a_violated_rule_has_its_name_beside_the_message() -> None:
    """Whoever handles failed queries handles it too; only who knows the rule looks closer."""
    error = errors.ConstraintViolated("users.add", "23505", "users_email_key")
    assert isinstance(error, errors.QueryFailed)
    assert (error.sqlstate, error.constraint) == ("23505", "users_email_key")
    assert str(error) == "users.add failed with SQLSTATE 23505"


def test_an_unknown_outcome_is_a_failed_query_that_says_so() -> None:
    """It must not be taken for a refusal, which says that nothing was done."""
    error = errors.OutcomeUnknown("users.add", None)
    assert isinstance(error, errors.QueryFailed)
    assert not isinstance(error, errors.Refused)
