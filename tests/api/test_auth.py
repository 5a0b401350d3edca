"""The gate: one bearer token of the right scope, or 401 or 403 with the challenge."""

from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request

from api.auth import READ, WRITE, Gate
from bellbuoy import tokens
from bellbuoy.host.web.problem import Problem
from bellbuoy.tokens import Tokens
from bellbuoy.tokenwatch import TokenWatch

SECRET = "geheim ist's nicht, doch lang"  # noqa: S105


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """A gate that lets SECRET read."""
    tokens.write(tmp_path / "tokens", Tokens((tokens.issue("alice", SECRET, [READ]),)))
    return Gate(TokenWatch("X", tmp_path / "tokens"))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_token_opens(gate: Gate, scheme: str) -> None:
    """The scheme's name has no case (RFC 9110)."""
    assert gate.identify([f"{scheme} {SECRET}"]).name == "alice"


@pytest.mark.parametrize(
    "credentials, error",
    [
        ([], None),
        ([""], None),
        (["Bearer"], "invalid_token"),
        (["Bearer "], "invalid_token"),
        ([f"Bearer {SECRET}x"], "invalid_token"),
        ([f"Bearer {SECRET[:-1]}"], "invalid_token"),
        ([f"Bearer {SECRET.upper()}"], "invalid_token"),
        (["Bearer \udcff\udcfe"], "invalid_token"),
        ([f"Basic {SECRET}"], None),
        (["Digest username=x"], None),
        ([SECRET], None),
        ([f"Bearer {SECRET}", f"Bearer {SECRET}"], "invalid_request"),
    ],
)
def test_anything_else_is_told_what_is_wanted(
    gate: Gate, credentials: list[str], error: str | None
) -> None:
    """RFC 6750: no error code for who brought nothing, or something for another scheme."""
    with pytest.raises(Problem) as refused:
        gate.identify(credentials)
    challenge = refused.value.headers["WWW-Authenticate"]
    assert refused.value.status == 401
    assert challenge == 'Bearer realm="bellbuoy"' + (f', error="{error}"' if error else "")
    assert SECRET not in refused.value.detail


def test_a_token_of_another_scope_is_told_which_one_it_lacks(gate: Gate) -> None:
    """RFC 6750: 403 with insufficient_scope."""
    request = make_mocked_request("POST", "/users", {"Authorization": f"Bearer {SECRET}"})
    assert gate.admit(request, READ).name == "alice"
    with pytest.raises(Problem) as refused:
        gate.admit(request, WRITE)
    challenge = refused.value.headers["WWW-Authenticate"]
    assert refused.value.status == 403
    assert challenge.endswith('error="insufficient_scope", scope="users:write"')
