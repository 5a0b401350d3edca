"""Users in PostgreSQL: what a broken rule is for the client."""

import pytest

from api.users import EMAIL_KEY, nobody, translate
from bellbuoy.errors import ConstraintViolated
from bellbuoy.host.web import Problem


def test_a_taken_address_is_the_clients_matter() -> None:
    """It is told so, without whose it is."""
    problem = translate(ConstraintViolated("users.create", "23505", EMAIL_KEY))
    assert isinstance(problem, Problem)
    assert (problem.status, problem.detail) == (409, "Another user has this e-mail address.")


@pytest.mark.parametrize("constraint", ["users_name_check", "users_pkey"])
def test_another_broken_rule_is_a_bug(constraint: str) -> None:
    """What the types let through, the table takes."""
    error = ConstraintViolated("users.create", "23514", constraint)
    assert translate(error) is error


def test_nobody_is_not_found() -> None:
    """404."""
    assert nobody().status == 404
