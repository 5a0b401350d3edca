"""Rules ask for what is exported, fire when they should, and every alert says what to do."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.repository.catalogue import complaints
from tests.repository.promql import groupings, ranges, selectors
from tests.repository.rules import CASES, FILES, FOLDER, Rule, alerts, promtool, recorded, rules
from tests.repository.tree import ROOT, text

RUNBOOKS = Path("docs/operations.md")
SHORTEST = 120
"""Seconds: eight scrapes of the slowest configuration we ship, so that rates survive a lost one."""

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds(duration: str) -> int:
    """Return a duration of Prometheus in seconds."""
    return sum(int(count) * UNITS[unit] for count, unit in re.findall(r"(\d+)([smhd])", duration))


def called(rule: Rule) -> tuple[str, str]:
    """Return what makes an alert a different one."""
    return rule["alert"], rule["labels"]["severity"]


def runbooks() -> dict[str, str]:
    """Return the text below each heading of the chapter on alerts."""
    chapter = text(RUNBOOKS).partition("\n## Alerts\n")[2].partition("\n## ")[0]
    _, *rest = re.split(r"^### (\w+)$", chapter, flags=re.MULTILINE)
    return dict(zip(rest[::2], rest[1::2], strict=True))


def test_promtool_reads_the_configuration_and_the_rules() -> None:
    """With Debian's version, which is older than the one in compose."""
    result = promtool("check", "config", FOLDER / "prometheus.yml")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("rules found") == len(FILES) > 0


def test_promtool_finds_every_alert_firing_and_not_firing() -> None:
    """As tests/alerts says, with labels and the text that a person reads."""
    result = promtool("test", "rules", *CASES)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_not() -> None:
    """Each severity of it for itself; quiet both before its cause and after."""
    fires: set[tuple[str, str]] = set()
    quiet: set[str] = set()
    for path in CASES:
        for case in yaml.safe_load(text(path))["tests"]:
            moments = case.get("alert_rule_test", [])
            for moment in moments:
                name = moment["alertname"]
                fires |= {(name, each["exp_labels"]["severity"]) for each in moment["exp_alerts"]}
                if not moment["exp_alerts"]:
                    quiet.add(moment["alertname"])
            assert not any(each["exp_alerts"] for each in (*moments[:1], *moments[-1:]))
    assert fires == {called(rule) for rule in alerts()}
    assert quiet == {rule["alert"] for rule in alerts()}


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: "-".join(called(rule)))
def test_an_alert_says_how_urgent_it_is_and_leads_to_its_runbook(rule: Rule) -> None:
    """Severity, a sentence for the pager, one for the reader, and a chapter that exists."""
    assert rule["labels"]["severity"] in {"page", "ticket"}
    said = rule["annotations"]
    assert said.keys() == {"summary", "description", "runbook_url"}
    assert said["runbook_url"] == f"{RUNBOOKS}#{rule['alert'].lower()}"
    assert rule["alert"] in runbooks()


def test_every_runbook_belongs_to_an_alert_and_says_what_to_look_at_and_what_to_do() -> None:
    """A renamed alert leaves none behind."""
    assert runbooks().keys() == {rule["alert"] for rule in alerts()}
    for name, runbook in runbooks().items():
        assert re.search(r"^\*\*Look at\*\* ", runbook, re.MULTILINE), name
        assert re.search(r"^\*\*Do\*\* ", runbook, re.MULTILINE), name


def test_rules_ask_for_what_is_exported() -> None:
    """Names, labels and the values of those that have fixed ones."""
    found = {
        complaint
        for rule in rules()
        for selector in selectors(rule["expr"])
        for complaint in complaints(selector, recorded())
    }
    assert found == set()


def test_rules_group_by_labels_that_exist() -> None:
    """A misspelt one would silently be empty."""
    known = {name for labels in recorded().values() for name in labels}
    known |= {
        "job",
        "instance",
        "le",
        "reason",
        "route",
        "exception",
        "operation",
        "task",
        "sloth_window",
    }
    for rule in rules():
        assert groupings(rule["expr"]) <= known, rule


def test_no_window_is_too_short_to_hold_enough_scrapes() -> None:
    """A rate over less than a handful of scrapes is empty when one of them fails."""
    for rule in rules():
        windows = [each for each in ranges(rule["expr"]) if each]
        assert all(seconds(window) >= SHORTEST for window in windows), rule


@pytest.mark.parametrize(
    "asked, answer",
    [
        ("db_upp == 0", ["no metric db_upp"]),
        ('sum by (job) (rate(db_up{poool="a"}[5m]))', ["db_up has no label poool"]),
        ('bellbuoy_workers{state="redy"}', ["bellbuoy_workers has no state 'redy'"]),
        ("histogram_quantile(0.99, sum by (le) (echo_connection_duration_seconds_bucket))", []),
        ('label_replace(up{job="echo"}, "a", "$1", "b", "(.*)") or vector(1e3) offset 5m', []),
    ],
)  # fmt: skip
def test_a_mistake_in_an_expression_is_noticed(asked: str, answer: list[str]) -> None:
    """In a name, in a label, in a value; and words of the language are no metrics."""
    found = [each for selector in selectors(asked) for each in complaints(selector, {})]
    assert found == answer


def test_a_case_that_expects_too_much_is_noticed(tmp_path: Path) -> None:
    """It really evaluates: an alert that is expected too early fails."""
    cases: dict[str, Any] = yaml.safe_load(text(Path("tests/alerts/causes.yml")))
    cases["rule_files"] = [str(ROOT / FOLDER / "rules" / "causes.yml")]
    case = cases["tests"][0]
    firing = next(each for each in case["alert_rule_test"] if each["exp_alerts"])
    firing["eval_time"] = case["alert_rule_test"][0]["eval_time"]
    cases["tests"] = [case]
    (tmp_path / "cases.yml").write_text(yaml.safe_dump(cases))
    assert promtool("test", "rules", tmp_path / "cases.yml").returncode == 1


def always(rule: Rule) -> Rule:
    """Return an alert that fires whatever is measured."""
    return rule | {"expr": "vector(1)"}


def at_once(rule: Rule) -> Rule:
    """Return an alert that waits for nothing."""
    return {key: value for key, value in rule.items() if key != "for"}


@pytest.mark.slow
@pytest.mark.parametrize("severity", ["page", "ticket"])
@pytest.mark.parametrize("spoil", [always, at_once])
def test_the_moments_in_which_an_alert_is_quiet_find_one_that_is_not(
    spoil: Callable[[Rule], Rule], severity: str, tmp_path: Path
) -> None:
    """All the time, or too early; each of them, by nothing but the moments without alerts."""
    spoilt: set[str] = set()
    for path in CASES:
        content = yaml.safe_load(text(FOLDER / "rules" / path.name))
        before = len(spoilt)
        for rule in (rule for group in content["groups"] for rule in group["rules"]):
            if "alert" in rule and rule["labels"]["severity"] == severity and spoil(rule) != rule:
                spoilt.add(rule["alert"])
                rule |= {"for": "0s", **spoil(rule)}
        if len(spoilt) > before:
            (tmp_path / path.name).write_text(yaml.safe_dump(content))
            (tmp_path / f"quiet-{path.name}").write_text(quiet(path))
    assert spoilt
    result = promtool("test", "rules", *tmp_path.glob("quiet-*"))
    assert set(re.findall(r"alertname: (\w+),", result.stdout + result.stderr)) == spoilt


def quiet(cases: Path) -> str:
    """Return these cases with nothing but the moments in which no alert fires."""
    # Values such as 0x35 are texts and no hexadecimal numbers.
    content = yaml.load(text(cases), yaml.BaseLoader)  # noqa: S506 - it makes nothing but texts
    for case in content["tests"]:
        case.pop("promql_expr_test", None)
        moments = case.get("alert_rule_test", [])
        case["alert_rule_test"] = [each for each in moments if not each["exp_alerts"]]
    return yaml.safe_dump(content | {"rule_files": [cases.name]})
