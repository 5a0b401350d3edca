"""Files that follow from others are current."""

from pathlib import Path

import yaml

from tests.repository.tree import text
from tools import rules


def test_the_objectives_file_is_current() -> None:
    """`make rules` was run after the last change of an objective."""
    assert text(rules.SLO_FILE) == rules.slo_file()


def test_the_operators_file_is_current_and_holds_every_group() -> None:
    """`make rules` was run after the last change of a rule file; nothing is lost on the way."""
    assert text(rules.OPERATOR_FILE) == rules.operator_file()
    held = yaml.safe_load(text(rules.OPERATOR_FILE))["spec"]["groups"]
    files = [yaml.safe_load(text(rules.RULES / name)) for name in ("causes.yml", "slo.yml")]
    assert held == [group for file in files for group in file["groups"]]


def test_a_group_of_any_file_reaches_the_operator(tmp_path: Path) -> None:
    """What is put into the folder is found there."""
    folder = tmp_path / rules.RULES
    folder.mkdir(parents=True)
    for name in ("b", "a"):
        (folder / f"{name}.yml").write_text(
            yaml.safe_dump({"groups": [{"name": name, "rules": []}]})
        )
    held = yaml.safe_load(rules.operator_file(tmp_path))["spec"]["groups"]
    assert [group["name"] for group in held] == ["a", "b"]


def test_each_objective_is_measured_over_every_window_that_its_alerts_look_at() -> None:
    """And over the shorter windows the alert asks for the same series."""
    for group in rules.groups():
        if "recordings" not in group["name"]:
            asked = {
                window for burns in rules.BURNS.values() for *both, _ in burns for window in both
            }
            assert asked == set(rules.WINDOWS)
            assert all(f"ratio_rate{window}{{" in str(group) for window in asked)
