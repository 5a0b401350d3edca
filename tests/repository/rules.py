"""The rule files as their readers see them, and promtool."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.repository.catalogue import Labels
from tests.repository.tree import ROOT, sources, text

Rule = dict[str, Any]

FOLDER = Path("deploy/prometheus")
FILES = sources(".yml", under="deploy/prometheus/rules")
CASES = sources(".yml", under="tests/alerts")


@cache
def groups() -> tuple[dict[str, Any], ...]:
    """Return every rule group."""
    return tuple(group for path in FILES for group in yaml.safe_load(text(path))["groups"])


def rules() -> list[Rule]:
    """Return every rule."""
    return [rule for group in groups() for rule in group["rules"]]


def alerts() -> list[Rule]:
    """Return every rule that alerts."""
    return [rule for rule in rules() if "alert" in rule]


@cache
def recorded() -> Mapping[str, Labels]:
    """Return the labels of each metric that a rule records."""
    found: dict[str, dict[str, tuple[str, ...] | None]] = {}
    for rule in rules():
        if "record" in rule:
            labels = found.setdefault(rule["record"], {})
            for name, value in rule["labels"].items():
                labels[name] = (*(labels.get(name) or ()), value)
    return found


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run promtool in the checkout; where it is missing skip, but never in CI."""
    if not shutil.which("promtool"):
        complaint = "promtool is needed; on Debian and Ubuntu: apt install prometheus"
        if os.environ.get("CI"):
            pytest.fail(complaint)
        pytest.skip(complaint)
    return subprocess.run(
        ["promtool", *arguments], cwd=ROOT, check=False, capture_output=True, text=True
    )
