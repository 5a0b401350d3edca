"""Settings are read completely or not at all, and every mistake is told at once."""

import contextlib
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from bellbuoy.errors import SettingsError
from bellbuoy.settings import (
    SECRET_BYTES,
    ApiPorts,
    EchoPorts,
    HostSettings,
    Seconds,
    Settings,
    load,
    read_secret,
    unknown,
    variable,
)


@dataclass(frozen=True, kw_only=True)
class Sample(Settings):
    """One field of every sort."""

    count: Annotated[int, Meta(ge=1, le=9)] = 5
    ratio: float = 0.5
    wait_seconds: Seconds = 1.0
    mode: Literal["fast", "slow"] = "fast"
    place: Annotated[Literal["here", "there"], Meta(description="Where.")] = "here"
    title: Annotated[str, Meta(min_length=1)] = "none"
    switch: bool = False
    folder: Path = Path("somewhere")
    extra: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Needy(Settings):
    """Two fields without a default, one with a made one."""

    token_file: Path
    limit: int
    tags: tuple[str, ...] = field(default_factory=tuple)


@dataclass(frozen=True, kw_only=True)
class EchoSettings(HostSettings, EchoPorts):
    """What the echo program would understand."""


def problems(environ: dict[str, str], cls: type[Settings] = Sample) -> tuple[str, ...]:
    """Return what is wrong with ``environ``."""
    with pytest.raises(SettingsError) as caught:
        load(cls, environ)
    return caught.value.problems


def test_an_empty_environment_gives_the_defaults() -> None:
    """A program starts without any configuration."""
    assert load(Sample, {}) == Sample()
    assert load(HostSettings, {}) == HostSettings()


def test_a_variable_is_the_field_in_capitals_behind_the_prefix() -> None:
    """Nobody has to look up how a field is spelled."""
    assert variable("drain_timeout_seconds") == "BUOY_DRAIN_TIMEOUT_SECONDS"


def test_every_field_is_read_in_its_type() -> None:
    """The program never sees the strings."""
    environ = {
        "BUOY_COUNT": "7",
        "BUOY_RATIO": "0.25",
        "BUOY_WAIT_SECONDS": "2",
        "BUOY_MODE": "slow",
        "BUOY_PLACE": "there",
        "BUOY_TITLE": "Büoy",
        "BUOY_SWITCH": "true",
        "BUOY_FOLDER": "a folder/with spaces",
        "BUOY_EXTRA": "/elsewhere",
    }
    assert load(Sample, environ) == Sample(
        count=7,
        ratio=0.25,
        wait_seconds=2.0,
        mode="slow",
        place="there",
        title="Büoy",
        switch=True,
        folder=Path("a folder/with spaces"),
        extra=Path("/elsewhere"),
    )


def test_settings_are_frozen() -> None:
    """What was read at the start holds until the end."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        load(Sample, {}).count = 6  # type: ignore[misc]  # that is the point


def test_all_problems_are_told_at_once() -> None:
    """Absent, malformed and out of bounds: one start shows every one."""
    environ = {"BUOY_COUNT": "ten", "BUOY_RATIO": "half", "BUOY_MODE": "warp", "BUOY_TITLE": ""}
    assert problems(environ) == (
        "BUOY_COUNT='ten': Expected `int`",
        "BUOY_RATIO='half': Expected `float`",
        "BUOY_MODE='warp': expected one of fast, slow",
        "BUOY_TITLE='': Expected `str` of length >= 1",
    )


def test_what_has_no_default_must_be_set() -> None:
    """A made default is a default."""
    assert problems({}, Needy) == (
        "BUOY_TOKEN_FILE: required and not set",
        "BUOY_LIMIT: required and not set",
    )
    needy = load(Needy, {"BUOY_TOKEN_FILE": "token", "BUOY_LIMIT": "3"})
    assert needy == Needy(token_file=Path("token"), limit=3, tags=())


@pytest.mark.parametrize("name, choices", [("MODE", "fast, slow"), ("PLACE", "here, there")])
def test_a_wrong_choice_is_answered_with_the_right_ones(name: str, choices: str) -> None:
    """With a description around the choices or without."""
    assert problems({f"BUOY_{name}": "FAST"}) == (f"BUOY_{name}='FAST': expected one of {choices}",)


@pytest.mark.parametrize("text", ["0", "10", "-1", "1.5", "", " 5", "0x5", "99999999999999999999"])
def test_a_number_out_of_bounds_or_of_another_form_is_refused(text: str) -> None:
    """The message shows what was given."""
    (problem,) = problems({"BUOY_COUNT": text})
    assert problem.startswith(f"BUOY_COUNT={text!r}: Expected `int`")


@pytest.mark.parametrize("name", ["RATIO", "WAIT_SECONDS"])
@pytest.mark.parametrize("text", ["nan", "NaN", "inf", "-inf", "Infinity", "1e400"])
def test_a_float_is_a_finite_number(name: str, text: str) -> None:
    """A deadline of infinity, or one that compares with nothing, is no deadline."""
    assert len(problems({f"BUOY_{name}": text})) == 1


def test_no_float_of_the_host_can_be_infinite() -> None:
    """Whatever the field's bounds say or leave out."""
    fields = dataclasses.fields(HostSettings)
    names = [variable(each.name) for each in fields if isinstance(each.default, float)]
    assert "BUOY_WATCHDOG_SECONDS" in names
    assert len(problems(dict.fromkeys(names, "inf"), HostSettings)) == len(names)


@pytest.mark.parametrize("name", ["FOLDER", "EXTRA"])
def test_a_path_is_not_empty(name: str) -> None:
    """An empty variable would mean the current directory by accident."""
    assert problems({f"BUOY_{name}": ""}) == (f"BUOY_{name}='': Expected a path",)


def test_a_path_may_be_no_text() -> None:
    """Names of files are bytes; `os.environ` keeps strange ones as surrogates."""
    assert load(Sample, {"BUOY_FOLDER": "dir\udcff"}).folder == Path("dir\udcff")


@pytest.mark.parametrize("name", ["COUNT", "RATIO", "MODE", "TITLE", "SWITCH"])
def test_everything_else_is_utf_8(name: str) -> None:
    """Bytes of another encoding are a problem among the others, not a traceback."""
    (problem,) = problems({f"BUOY_{name}": "\udcff"})
    assert problem.startswith(f"BUOY_{name}='\\udcff': ")


@given(st.dictionaries(st.sampled_from([f.name for f in dataclasses.fields(Sample)]), st.text()))
def test_any_environment_gives_settings_or_problems(environ: dict[str, str]) -> None:
    """Nothing else is ever raised, whatever the variables hold."""
    named = {variable(name): text for name, text in environ.items()}
    with contextlib.suppress(SettingsError):
        assert isinstance(load(Sample, named), Sample)


def test_the_bounds_of_the_host_hold() -> None:
    """One value beyond each."""
    environ = {
        "BUOY_HOST": "",
        "BUOY_WORKERS": "65",
        "BUOY_BACKLOG": "0",
        "BUOY_MAX_CONNECTIONS": "0",
        "BUOY_DRAIN_DELAY_SECONDS": "61",
        "BUOY_DRAIN_TIMEOUT_SECONDS": "0",
        "BUOY_WATCHDOG_SECONDS": "1.9",
    }
    assert len(problems(environ, HostSettings)) == len(environ)
    assert len(problems({"BUOY_ECHO_PORT": "65536", "BUOY_ECHO_ADMIN_PORT": "-1"}, EchoPorts)) == 2


def test_every_field_of_the_host_is_described() -> None:
    """The documentation of the settings is made from them."""
    for cls in (HostSettings, EchoPorts, ApiPorts):
        for each in dataclasses.fields(cls):
            metas: Any = getattr(each.type, "__metadata__", ())
            assert any(meta.description for meta in metas), each.name


def test_an_unknown_name_is_told_with_the_nearest_known_one() -> None:
    """A misspelt variable does not silently mean the default."""
    environ = {"BUOY_WORKRES": "2", "BUOY_ZZZ": "", "BUOY_WORKERS": "1", "PATH": "", "WORKERS": ""}
    assert list(unknown(HostSettings, environ)) == [
        "BUOY_WORKRES is not a setting; did you mean BUOY_WORKERS?",
        "BUOY_ZZZ is not a setting",
    ]


def test_a_variable_of_another_program_is_not_told() -> None:
    """One ConfigMap may configure both services; a misspelt one of one's own is still found."""
    environ = {"BUOY_API_PORT": "1", "BUOY_DB_HOST": "db", "BUOY_ECHO_PROT": "2"}
    assert list(unknown(EchoSettings, environ)) == [
        "BUOY_ECHO_PROT is not a setting; did you mean BUOY_ECHO_PORT?"
    ]


def test_a_misspelt_variable_of_another_program_is_told() -> None:
    """All programs together know what there is."""
    environ = {"BUOY_DATA_DIRR": "x", "BUOY_POSTGRES_BINN": "y", "BUOY_POSTGRES_BIN": "z"}
    assert list(unknown(EchoSettings, environ)) == [
        "BUOY_DATA_DIRR is not a setting; did you mean BUOY_DATA_DIR?",
        "BUOY_POSTGRES_BINN is not a setting; did you mean BUOY_POSTGRES_BIN?",
    ]


def test_a_variable_of_a_third_program_is_its_own() -> None:
    """The chassis' list does not name it, its settings class does."""
    assert list(unknown(Sample, {"BUOY_COUNT": "1"})) == []


@pytest.fixture
def secret(tmp_path: Path) -> Callable[[bytes], str]:
    """Write a secret's file and read it back."""

    def read(content: bytes) -> str:
        path = tmp_path / "secret"
        path.write_bytes(content)
        return read_secret("BUOY_TOKEN_FILE", path)

    return read


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n"])
def test_a_secret_is_read_without_its_line_end(secret: Callable[[bytes], str], end: bytes) -> None:
    """Editors and `echo` append one; spaces belong to the secret."""
    assert secret(" sëcret ".encode() + end) == " sëcret "


def test_the_largest_secret_is_accepted(secret: Callable[[bytes], str]) -> None:
    """The bound itself is within it."""
    assert secret(b"x" * SECRET_BYTES) == "x" * SECRET_BYTES


@pytest.mark.parametrize(
    "content, complaint",
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"\n", "is empty", id="only a line end"),
        pytest.param(b"\xff\xfe", "is not UTF-8 text", id="not UTF-8"),
        pytest.param(b"x" * (SECRET_BYTES + 1), "holds more than 4096 bytes", id="too large"),
        pytest.param("ä".encode() * SECRET_BYTES, "holds more than 4096 bytes", id="cut letter"),
    ],
)
def test_a_file_that_is_no_secret_is_refused(
    secret: Callable[[bytes], str], content: bytes, complaint: str
) -> None:
    """The message names the variable and the file, never the content."""
    with pytest.raises(SettingsError) as caught:
        secret(content)
    (problem,) = caught.value.problems
    assert problem.startswith("BUOY_TOKEN_FILE: ")
    assert problem.endswith(f"secret {complaint}")


def test_an_endless_file_is_refused() -> None:
    """Only as much is read as a secret may have."""
    with pytest.raises(SettingsError, match="/dev/zero holds more than"):
        read_secret("BUOY_TOKEN_FILE", Path("/dev/zero"))


def test_an_absent_secret_is_told_with_the_reason(tmp_path: Path) -> None:
    """A directory, and a file that is not there."""
    with pytest.raises(SettingsError, match=r"BUOY_X: cannot read .*: Is a directory"):
        read_secret("BUOY_X", tmp_path)
    with pytest.raises(SettingsError, match=r"BUOY_X: cannot read .*: No such file") as caught:
        read_secret("BUOY_X", tmp_path / "absent")
    assert isinstance(caught.value.__cause__, OSError)
