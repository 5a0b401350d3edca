"""`bellbuoy token`: what it prints, what it writes."""

from pathlib import Path

import pytest

from bellbuoy import tokens
from bellbuoy.cli.__main__ import main
from bellbuoy.tokenwatch import TokenWatch


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the tokens shall be kept, as the environment says."""
    monkeypatch.setenv("BUOY_API_TOKENS_FILE", str(tmp_path / "api.tokens"))
    return tmp_path / "api.tokens"


def test_a_token_is_printed_once_and_opens_what_it_was_made_for(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Alone on standard output, so that a script can take it."""
    assert main(["token", "new", "--name", "alice", "--scope", "users:read"]) == 0
    token = capsys.readouterr().out.rstrip("\n")
    found = TokenWatch("X", file).find(token)
    assert found is not None
    assert (found.name, found.scopes, found.expires) == ("alice", ("users:read",), None)
    assert token not in file.read_text()


def test_the_list_shows_who_and_until_when_and_no_hash(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line a token."""
    main(["token", "new", "--name", "alice"])
    main(["token", "new", "--name", "bob", "--scope", "users:read", "--days", "30"])
    capsys.readouterr()
    assert main(["token", "list"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.split()[:3] == ["alice", "users:read", "users:write"]
    assert first.endswith("never expires")
    assert second.split()[:2] == ["bob", "users:read"]
    assert " expires 20" in second
    assert [each.sha256 for each in tokens.load("X", file).tokens if each.sha256 in first] == []


def test_a_revoked_token_is_gone(file: Path) -> None:
    """The others stay."""
    main(["token", "new", "--name", "alice"])
    main(["token", "new", "--name", "bob"])
    assert main(["token", "revoke", "--name", "alice"]) == 0
    assert [each.name for each in tokens.load("X", file).tokens] == ["bob"]


@pytest.mark.parametrize(
    "words, complaint",
    [
        (["new", "--name", "alice"], "has a token named alice; revoke it first"),
        (["new", "--name", "a b"], "--name takes"),
        (["revoke", "--name", "nobody"], "has no token named nobody"),
    ],
)
def test_a_mistake_is_one_line(
    file: Path, capsys: pytest.CaptureFixture[str], words: list[str], complaint: str
) -> None:
    """And changes nothing."""
    main(["token", "new", "--name", "alice"])
    before = file.read_bytes()
    capsys.readouterr()
    assert main(["token", *words]) == 78
    assert complaint in capsys.readouterr().err
    assert file.read_bytes() == before


def test_it_says_where_a_file_may_be_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By option or by variable."""
    monkeypatch.delenv("BUOY_API_TOKENS_FILE", raising=False)
    assert main(["token", "list"]) == 78
    assert "--file, or set BUOY_API_TOKENS_FILE" in capsys.readouterr().err


def test_an_option_goes_before_the_environment(file: Path, tmp_path: Path) -> None:
    """As everywhere."""
    main(["token", "new", "--name", "a", "--file", str(tmp_path / "other")])
    assert ((tmp_path / "other").exists(), file.exists()) == (True, False)


@pytest.mark.parametrize("days", ["0", "-1", "4000", "many"])
def test_days_have_bounds(days: str) -> None:
    """Argparse's own status for a wrong command line."""
    with pytest.raises(SystemExit, match="2"):
        main(["token", "new", "--name", "a", "--days", days])
