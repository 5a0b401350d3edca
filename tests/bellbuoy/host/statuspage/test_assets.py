"""The assets: complete, unchanged where they are not ours, and nothing that the policy forbids."""

import hashlib
import re
from pathlib import Path

import pytest

from bellbuoy.host.statuspage import assets as module
from bellbuoy.host.statuspage.assets import assets
from tests.repository.tree import ROOT

FOLDER = Path(module.__file__).parent / "assets"
VENDOR = FOLDER / "vendor"
OURS = [name for name in assets() if not (VENDOR / name).exists()]


def test_what_is_vendored_is_what_its_readme_says() -> None:
    """Each file has its checksum, and the licence is there."""
    table = (VENDOR / "README.md").read_text()
    sums = dict(re.findall(r"^\| `(\S+)` \| `\S+` \| `([0-9a-f]{64})` \|$", table, re.MULTILINE))
    files = {path.name: path for path in VENDOR.iterdir() if path.name != "README.md"}
    assert sums == {
        name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()
    }
    assert "The MIT License" in files["uPlot.LICENSE"].read_text()
    assert "1.6.32" in table.splitlines()[0]
    assert b"v1.6.32" in assets()["uPlot.iife.min.js"].body[:200]


def test_every_file_that_is_named_is_there_and_every_file_is_named() -> None:
    """By the page or by a module of it."""
    text = "\n".join(assets()[name].body.decode() for name in OURS)
    named = set(re.findall(r'"(?:/page|\.)/([\w.]+)"', text))
    assert named == assets().keys() - {"index.html"}


@pytest.mark.parametrize("name", OURS)
def test_nothing_is_inline_and_nothing_makes_markup_of_text(name: str) -> None:
    """The policy would stop it; it is not even tried."""
    text = assets()[name].body.decode()
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
    assert re.findall(forbidden, text) == []
    if name.endswith(".html"):
        assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", text) == []


@pytest.mark.parametrize("name", OURS)
def test_nothing_is_fetched_from_elsewhere(name: str) -> None:
    """It works offline; the one address is the name of SVG."""
    text = assets()[name].body.decode().replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"(?:https?:)?//[a-z][\w.-]+\.[a-z]{2,}", text) == []


def test_a_tag_changes_with_its_file() -> None:
    """So that a browser keeps what it has for as long as it is current."""
    assert len({asset.tag for asset in assets().values()}) == len(assets())


def test_our_own_files_are_short() -> None:
    """One noun each, as everywhere; the style sheet is one for all."""
    lines = {name: len(assets()[name].body.splitlines()) for name in OURS}
    assert {name for name, count in lines.items() if count > 300} <= {"page.css"}
    assert ROOT in FOLDER.parents
