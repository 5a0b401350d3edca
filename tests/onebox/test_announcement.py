"""The announcement: every line of it can be used as it stands."""

import subprocess
from pathlib import Path

from onebox import announcement
from onebox.datadir import DataDirectory
from onebox.settings import OneboxSettings

SETTINGS = OneboxSettings(host="0.0.0.0", echo_port=1, echo_admin_port=2, api_port=3)  # noqa: S104  # not bound


def test_it_names_addresses_that_can_be_reached(tmp_path: Path) -> None:
    """Not the wildcard."""
    text = announcement.compose(SETTINGS, DataDirectory(tmp_path, False), tmp_path)  # noqa: FBT003
    assert "printf 'hello\\n' | nc -N 127.0.0.1 1\n" in text
    assert "curl http://127.0.0.1:3/health\n" in text
    assert "0.0.0.0" not in text  # noqa: S104  # not bound


def test_the_token_is_found_from_here_even_below_a_path_with_spaces(tmp_path: Path) -> None:
    """A shell expands the line as meant."""
    data = DataDirectory(tmp_path / "it's a dir", was_abandoned=False)
    data.path.mkdir()
    data.token.write_text("secret\n")
    for here in (tmp_path, Path("/usr")):
        text = announcement.compose(SETTINGS, data, here)
        line = next(line for line in text.splitlines() if "Authorization" in line)
        words = line.replace("curl -H", "printf %s", 1).split(" http")[0]
        shell = subprocess.run(
            ["/bin/sh", "-c", words], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert shell.stdout == "Authorization: Bearer secret"


def test_it_says_where_the_data_lives(tmp_path: Path) -> None:
    """In full."""
    data = DataDirectory(tmp_path, was_abandoned=False)
    assert str(tmp_path) in announcement.compose(SETTINGS, data, tmp_path)
