"""The command itself: its version, and what it says of a word that it does not know."""

import pytest

import bellbuoy
from bellbuoy.cli.__main__ import main


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    """`bellbuoy --version` is what the image label and the metrics say, too."""
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"bellbuoy {bellbuoy.__version__}\n"


def test_an_unknown_word_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The exit status is 2, as of every command that was misused."""
    with pytest.raises(SystemExit, match="2"):
        main(["frobnicate"])
    assert "frobnicate" in capsys.readouterr().err
