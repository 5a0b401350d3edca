"""README.md as its reader meets it: every command is run, and what it shows is what comes.

Law of this file: nothing of the README is repeated here. What differs from machine to machine,
ports and paths, is translated; what differs from run to run, times and request ids, is masked.
"""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.onebox.running import Onebox, onebox
from tests.repository.tree import ROOT, text

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "CI" not in os.environ and not (shutil.which("curl") and shutil.which("nc")),
        reason="pastes them",
    ),
]

README = text(Path("README.md"))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

PORTS = {
    "8888": r"echo +127\.0\.0\.1:(\d+)",
    "8080": r"api +http://127\.0\.0\.1:(\d+)",
    "9888": r"http://127\.0\.0\.1:(\d+) \(echo\)",
    "9080": r"http://127\.0\.0\.1:(\d+) \(api\)",
}
DATA = "…/bellbuoy/.bellbuoy"
TRANSLATED = re.compile(rf"{re.escape(DATA)}|\.bellbuoy/[\w.]+|\b(?:{'|'.join(PORTS)})\b")

MASKS = {
    r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z"': '"TIME"',
    r'"request_id":"[0-9a-f]{20}"': '"request_id":"ID"',
}

LAG = 10.0
"""Seconds for metrics, which are published ten times a second."""


@dataclass(frozen=True)
class Example:
    """A command as the README shows it, and the output below it."""

    command: str
    output: str


@dataclass(frozen=True)
class Reader:
    """Somebody who follows the README beside a onebox that has printed its readiness block."""

    box: Onebox

    def translate(self, shown: str) -> str:
        """Return what the README would say of this onebox."""
        return TRANSLATED.sub(lambda found: self._own(found[0]), shown)

    def follow(self, example: Example) -> tuple[str, str]:
        """Return the output that is shown, and the one that comes, in time if it is a metric."""
        expected, command = masked(self.translate(example.output)), self.translate(example.command)
        deadline = time.monotonic() + LAG
        while (actual := masked(paste(command))) != expected:
            if "/metrics" not in command or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        return expected, actual

    def _own(self, shown: str) -> str:
        if shown in PORTS:
            return self.box.printed(PORTS[shown])
        if shown == DATA:
            return str(self.box.data)
        return shlex.quote(str(self.box.data / shown.removeprefix(".bellbuoy/")))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A reader of the README who started all of it; the tests of this module share it."""
    place = tmp_path_factory.mktemp("readme")
    with onebox(place / "a path" / "data", place / "output") as box:
        yield Reader(box.await_ready())


def blocks(language: str) -> list[str]:
    """Return what stands in the code blocks of a language, ``""`` for none."""
    return [content for found, content in BLOCK.findall(README) if found == language]


def examples() -> list[Example]:
    """Return every command in a console block, in the order of reading."""
    return [
        Example(command, output)
        for block in blocks("console")
        for command, _, output in (
            part.partition("\n") for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
        )
    ]


def masked(output: str) -> str:
    """Return an output without what no two runs share; its last newline does not show."""
    for pattern, mask in MASKS.items():
        output = re.sub(pattern, mask, output)
    return output.rstrip("\n")


def paste(command: str) -> str:
    """Return what a command writes to standard output."""
    shell = subprocess.run(
        ["/bin/sh", "-c", command],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return shell.stdout


def test_every_command_shows_what_the_readme_shows(reader: Reader) -> None:
    """One after the other, since what is counted depends on what was done before."""
    outcomes = [(example.command, *reader.follow(example)) for example in examples()]
    assert [outcome for outcome in outcomes if outcome[1] != outcome[2]] == []
    assert all(expected for _, expected, _ in outcomes)


def test_no_command_with_an_output_escapes_being_run() -> None:
    """What begins with a dollar sign stands in a console block, and a console block begins so."""
    prompts = re.findall(r"^\$ (.*)$", README, re.MULTILINE)
    assert prompts == [example.command for example in examples()]
    assert [block for block in blocks("console") if not block.startswith("$ ")] == []
    assert {port for port in PORTS if port in "".join(prompts)} == PORTS.keys()


def test_the_readiness_block_is_the_one_that_is_printed(reader: Reader) -> None:
    """Addresses, directory and commands to try, line by line."""
    (shown,) = (block for block in blocks("") if "Bellbuoy is ready" in block)
    printed = reader.box.output.partition("Bellbuoy is ready")
    assert reader.translate(shown).splitlines() == "".join(printed[1:]).splitlines()


def test_the_python_example_counts_what_it_decorates() -> None:
    """As it stands, and called once: its last line shows what it says, in that order."""
    (example,) = blocks("python")
    *lines, last = example.rstrip().split("\n")
    shown, _, fields = last.partition("  # ")
    called = ["import asyncio", 'asyncio.run(fetch("a url"))', f"print({shown})"]
    output = subprocess.run(
        [sys.executable, "-c", "\n".join([*lines, *called])],
        env={**os.environ, "PYTHONPATH": str(ROOT / "services")},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    ).stdout
    names = fields.removesuffix(", …").replace("timed out", "timed_out").split(", ")
    counts = re.findall(r"(\w+)=(\d+)", output)[: len(names)]
    assert counts == [(name, str(int(name in ("started", "completed")))) for name in names]


def test_the_settings_example_sets_what_it_says(tmp_path: Path) -> None:
    """The port, on one that is free here, the workers, and the event loop."""
    (line,) = (block for block in blocks("sh") if block.startswith("BUOY_"))
    *pairs, command, target = shlex.split(line)
    assert (command, target) == ("make", "run")
    environ = dict(pair.split("=") for pair in pairs)
    with socket.create_server(("127.0.0.1", 0)) as free:
        environ["BUOY_API_PORT"] = str(free.getsockname()[1])
    with onebox(tmp_path / "data", tmp_path / "output", environ=environ) as box:
        assert box.await_ready().printed(PORTS["8080"]) == environ["BUOY_API_PORT"]
        for service in ("echo", "api"):
            supervisor = box.child(service)
            admin = 1
            assert len(supervisor.children()) == int(environ["BUOY_WORKERS"]) + admin
            assert supervisor.environ()["BUOY_LOOP"] == environ["BUOY_LOOP"]


def test_every_target_that_is_shown_is_one_of_the_makefile() -> None:
    """In any block of commands."""
    shown = re.findall(r"\bmake ([a-z-]+)", "".join(blocks("sh")))
    assert {"bench-echo", "bench-api"} <= {*shown}
    assert {*shown} <= {*re.findall(r"^([a-z-]+):", text(Path("Makefile")), re.MULTILINE)}


def test_the_two_commands_are_the_two_that_are_announced() -> None:
    """To run all of it, and to test it."""
    section = README.partition("## Two commands\n")[2].partition("\n## ")[0]
    targets = re.findall(r"^make (\S+) ", section, re.MULTILINE)
    assert targets == ["run", "test"]
