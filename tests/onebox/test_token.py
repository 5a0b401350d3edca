"""The development token: the api knows it, and others beside it."""

from pathlib import Path

from bellbuoy import tokens
from bellbuoy.tokenwatch import TokenWatch
from onebox import token


def test_it_opens_everything(tmp_path: Path) -> None:
    """Once registered; registering it again writes nothing."""
    path = tmp_path / "api.tokens"
    token.register(path, "a token")
    before = path.stat().st_ino
    token.register(path, "a token")
    found = TokenWatch("X", path).find("a token")
    assert found is not None
    assert (found.name, found.scopes) == ("dev", ("users:read", "users:write"))
    assert path.stat().st_ino == before


def test_a_new_one_takes_the_place_of_the_old(tmp_path: Path) -> None:
    """Those that somebody added stay."""
    path = tmp_path / "api.tokens"
    token.register(path, "old")
    with tokens.editing(path) as present:
        tokens.write(path, present.plus(tokens.issue("alice", "hers", ["users:read"])))
    token.register(path, "new")
    watch = TokenWatch("X", path)
    assert [watch.find(each) is not None for each in ("old", "new", "hers")] == [False, True, True]
