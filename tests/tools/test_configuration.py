"""The generator of docs/configuration.md, on settings classes made for the purpose."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from bellbuoy.settings import Settings
from tools.configuration import render, variables

Port = Annotated[int, Meta(ge=0, le=65535)]


@dataclass(frozen=True, kw_only=True)
class Shared(Settings):
    """What both understand.

    More that the heading does not show.
    """

    loop: Annotated[Literal["fast", "plain"], Meta(description="Which loop.")] = "fast"


@dataclass(frozen=True, kw_only=True)
class One(Shared):
    """What one understands."""

    port: Annotated[Port, Meta(description="Where it listens.")] = 8888
    token_file: Annotated[Path, Meta(description="The secret.")]


@dataclass(frozen=True, kw_only=True)
class Two(Shared):
    """What two understands."""

    folder: Annotated[Path | None, Meta(description="Left | right.")] = None
    wait_seconds: Annotated[float, Meta(gt=0, description="How long.")] = 1.5
    strict: Annotated[bool, Meta(description="Whether.")] = False
    label: Annotated[str, Meta(max_length=9, description="A word.")] = ""


DOCUMENT = render(variables([("one", [One]), ("two", [Two]), ("both", [One, Two])]))


def rows() -> dict[str, list[str]]:
    """Return the cells after the first of each row, by variable."""
    table = [line for line in DOCUMENT.splitlines() if line.startswith("| `")]
    cells = [line.strip("| ").replace("\\|", "¦").split(" | ") for line in table]
    return {name.strip("`"): rest for name, *rest in cells}


def test_each_variable_stands_once_with_all_who_read_it() -> None:
    """A shared field is one row, under the class that declares it."""
    assert list(rows()) == [
        "BUOY_LOOP",
        "BUOY_PORT",
        "BUOY_TOKEN_FILE",
        "BUOY_FOLDER",
        "BUOY_WAIT_SECONDS",
        "BUOY_STRICT",
        "BUOY_LABEL",
    ]
    assert rows()["BUOY_LOOP"][3] == "one, two, both"
    assert rows()["BUOY_STRICT"][3] == "two, both"


def test_a_heading_is_the_promise_of_the_class() -> None:
    """The first line of the docstring, in the order of inheritance."""
    headings = [line for line in DOCUMENT.splitlines() if line.startswith("## ")]
    assert headings == [
        "## What both understand",
        "## What one understands",
        "## What two understands",
    ]


def test_types_and_bounds_are_in_the_readers_words() -> None:
    """Nested constraints, choices, absence and bounds are all shown."""
    shown = {name: (kind, bounds) for name, (kind, _, bounds, *_) in rows().items()}
    assert shown == {
        "BUOY_LOOP": ("`fast` or `plain`", ""),
        "BUOY_PORT": ("integer", "≥ 0, ≤ 65535"),
        "BUOY_TOKEN_FILE": ("path", ""),
        "BUOY_FOLDER": ("path", ""),
        "BUOY_WAIT_SECONDS": ("number", "> 0"),
        "BUOY_STRICT": ("`true` or `false`", ""),
        "BUOY_LABEL": ("text", "length ≤ 9"),
    }


def test_defaults_are_what_one_would_write() -> None:
    """Required, unset, empty and false are told apart."""
    assert {name: default for name, (_, default, *_) in rows().items()} == {
        "BUOY_LOOP": "`fast`",
        "BUOY_PORT": "`8888`",
        "BUOY_TOKEN_FILE": "**required**",
        "BUOY_FOLDER": "not set",
        "BUOY_WAIT_SECONDS": "`1.5`",
        "BUOY_STRICT": "`false`",
        "BUOY_LABEL": "empty",
    }


def test_a_bar_in_a_description_does_not_break_the_table() -> None:
    """Cells are escaped."""
    assert rows()["BUOY_FOLDER"][4] == "Left ¦ right."
