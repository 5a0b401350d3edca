"""The gate: one bearer token, or 401 with the challenge."""

import pytest

from api.auth import Gate
from bellbuoy.host.web.problem import Problem

SECRET = "geheim ist's nicht, doch lang"  # noqa: S105


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_token_opens(scheme: str) -> None:
    """The scheme's name has no case (RFC 9110)."""
    Gate(SECRET).check([f"{scheme} {SECRET}"])


@pytest.mark.parametrize(
    "credentials, error",
    [
        ([], None),
        ([""], "invalid_request"),
        (["Bearer"], "invalid_token"),
        (["Bearer "], "invalid_token"),
        ([f"Bearer {SECRET}x"], "invalid_token"),
        ([f"Bearer {SECRET[:-1]}"], "invalid_token"),
        ([f"Bearer {SECRET.upper()}"], "invalid_token"),
        (["Bearer \udcff\udcfe"], "invalid_token"),
        ([f"Basic {SECRET}"], "invalid_request"),
        ([SECRET], "invalid_request"),
        ([f"Bearer {SECRET}", f"Bearer {SECRET}"], "invalid_request"),
    ],
)
def test_anything_else_is_told_what_is_wanted(credentials: list[str], error: str | None) -> None:
    """RFC 6750: no error code for who brought nothing."""
    with pytest.raises(Problem) as refused:
        Gate(SECRET).check(credentials)
    challenge = refused.value.headers["WWW-Authenticate"]
    assert refused.value.status == 401
    assert challenge == 'Bearer realm="bellbuoy"' + (f', error="{error}"' if error else "")
    assert SECRET not in refused.value.detail


def test_the_secret_is_not_kept() -> None:
    """Nobody finds it in a dump or a traceback."""
    assert SECRET not in repr(vars(Gate(SECRET)))
