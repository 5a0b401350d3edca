"""The monitoring component carries the very rules and dashboards that compose mounts."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.repository.dashboards import FOLDER, boards
from tests.repository.kustomize import rendering
from tests.repository.manifests import REMOVED, Manifests, Mistake, named
from tests.repository.rules import groups
from tests.repository.tree import text

ANNOTATION_LIMIT = 256 * 1024
"""Bytes of all annotations of one object; `kubectl apply` notes the whole object in one."""

PREFIX = "bellbuoy-dashboard-"
OVERVIEW = f"{PREFIX}overview"
MISTAKES = {
    "not-found-by-the-sidecar": Mistake(
        "ConfigMap", OVERVIEW, ("metadata", "labels", "grafana_dashboard"), REMOVED
    ),
    "another-dashboard": Mistake("ConfigMap", OVERVIEW, ("data", "overview.json"), "{}"),
    "too-large-to-apply": Mistake("ConfigMap", OVERVIEW, ("data", "more"), "x" * ANNOTATION_LIMIT),
    "another-rule": Mistake(
        "PrometheusRule", "bellbuoy", ("spec", "groups", 0, "rules", 0, "expr"), "vector(1)"
    ),
    "another-job": Mistake(
        "ServiceMonitor",
        "bellbuoy",
        ("spec", "endpoints", 0, "relabelings", 0, "targetLabel"),
        "container",
    ),
}


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield where the component differs from the files."""
    maps = {named(each): each for each in manifests.of("ConfigMap") if PREFIX in named(each)}
    if maps.keys() != {f"{PREFIX}{board.stem}" for board in boards()}:
        yield f"dashboards: {sorted(maps)}"
    for name, each in maps.items():
        file = f"{name.removeprefix(PREFIX)}.json"
        if each["data"] != {file: text(FOLDER / file)}:
            yield f"{name} is not {file}"
        if each["metadata"]["labels"].get("grafana_dashboard") != "1":
            yield f"{name} is found by no sidecar"
        if len(json.dumps(json.dumps(each))) >= ANNOTATION_LIMIT:
            yield f"{name} is too large for `kubectl apply`"
    rule = manifests.get("PrometheusRule", "bellbuoy")
    if rule["spec"]["groups"] != [*groups()]:
        yield "the rules are not those of the files"
    (endpoint,) = manifests.get("ServiceMonitor", "bellbuoy")["spec"]["endpoints"]
    if [each["targetLabel"] for each in endpoint["relabelings"]] != ["job"]:
        yield "the jobs are not called as the rules call them"


@pytest.mark.parametrize("name", ["monitoring", "production"])
def test_rules_and_dashboards_are_those_of_the_files(name: str) -> None:
    """Nothing is written twice, and nothing is too large."""
    assert list(problems(rendering(name))) == []


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_difference_is_noticed(mistake: Mistake) -> None:
    """In a dashboard, in a rule, in what finds them."""
    assert list(problems(rendering("monitoring").with_mistake(mistake))) != []


def test_a_cluster_without_the_component_has_none_of_it() -> None:
    """Its kinds need the operator."""
    kinds = {each["kind"] for each in rendering("dev").objects}
    assert not kinds & {"PrometheusRule", "ServiceMonitor"}


def test_compose_mounts_what_kustomize_reads() -> None:
    """The folders of rules and dashboards, read-only."""
    services = yaml.safe_load(text(Path("docker-compose.yml")))["services"]
    assert "./deploy/prometheus:/etc/prometheus:ro" in services["prometheus"]["volumes"]
    assert f"./{FOLDER}:/etc/grafana/dashboards:ro" in services["grafana"]["volumes"]
