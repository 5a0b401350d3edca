"""Whatever selects by labels finds what it is for, and nothing else."""

from collections.abc import Iterator

import pytest

from tests.repository.kustomize import RENDERINGS, rendering
from tests.repository.manifests import (
    Manifests,
    Mistake,
    Object,
    label,
    labels,
    named,
    selects,
    template,
)

POD = ("spec", "template")
NAME = "app.kubernetes.io/name"
LABELS = (*POD, "metadata", "labels")
MISTAKES = {
    "renamed-pod": Mistake("Deployment", "bellbuoy-echo", (*LABELS, NAME), "echo"),
    "renamed-selector": Mistake(
        "Deployment", "bellbuoy-echo", ("spec", "selector", "matchLabels", NAME), "echo"
    ),
    "two-deployments-of-one-name": Mistake(
        "Deployment", "bellbuoy-echo", (*LABELS, NAME), "bellbuoy-api"
    ),
    "service-of-nothing": Mistake("Service", "bellbuoy-api", ("spec", "selector", NAME), "api"),
    "service-of-everything": Mistake(
        "Service", "bellbuoy-api", ("spec", "selector"), {"app.kubernetes.io/part-of": "bellbuoy"}
    ),
    "service-of-another": Mistake(
        "Service", "bellbuoy-echo", ("spec", "selector", NAME), "bellbuoy-api"
    ),
    "governing-service": Mistake("StatefulSet", "bellbuoy-postgres", ("spec", "serviceName"), "db"),
    "budget-of-nothing": Mistake(
        "PodDisruptionBudget", "bellbuoy-api", ("spec", "selector", "matchLabels", NAME), "api"
    ),
    "budget-that-blocks-a-drain": Mistake(
        "PodDisruptionBudget", "bellbuoy-api", ("spec",), {"minAvailable": 1}
    ),
    "policy-of-nothing": Mistake(
        "NetworkPolicy", "bellbuoy-echo", ("spec", "podSelector", "matchLabels", NAME), "echo"
    ),
    "policy-with-a-misspelt-peer": Mistake(
        "NetworkPolicy",
        "bellbuoy-postgres",
        ("spec", "ingress", 0, "from", 0, "podSelector", "matchExpressions", 0, "values", 0),
        "api",
    ),
    "spread-over-others": Mistake(
        "Deployment",
        "bellbuoy-api",
        (*POD, "spec", "topologySpreadConstraints", 0, "labelSelector", "matchLabels"),
        {NAME: "bellbuoy-echo"},
    ),
    "spread-over-both": Mistake(
        "Deployment",
        "bellbuoy-api",
        (*POD, "spec", "topologySpreadConstraints", 1, "matchLabelKeys"),
        ["pod-template-hash"],
    ),
    "monitor-of-nothing": Mistake(
        "ServiceMonitor", "bellbuoy", ("spec", "selector", "matchLabels"), {NAME: "bellbuoy"}
    ),
    "monitor-of-public-services": Mistake(
        "ServiceMonitor",
        "bellbuoy",
        ("spec", "selector", "matchLabels"),
        {"app.kubernetes.io/part-of": "bellbuoy"},
    ),
}


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield selectors that find too little or too much."""
    yield from _own_pods(manifests)
    yield from _services(manifests)
    yield from _budgets(manifests)
    yield from _policies(manifests)
    yield from _monitors(manifests)


def _own_pods(manifests: Manifests) -> Iterator[str]:
    for workload in manifests.of("Deployment", "StatefulSet"):
        if _selected(manifests, workload["spec"]["selector"]) != [named(workload)]:
            yield f"{label(workload)} selects other pods than its own"
        for spread in template(workload)["spec"].get("topologySpreadConstraints", ()):
            # The controller adds the hash of the template to its pods.
            keys = set(spread["matchLabelKeys"]) - {"pod-template-hash"}
            own = {key: labels(workload).get(key) for key in keys}
            exact = {**own, **spread["labelSelector"]["matchLabels"]}
            if _selected(manifests, {"matchLabels": exact}) != [named(workload)]:
                yield f"{label(workload)} spreads over other pods than its own"


def _services(manifests: Manifests) -> Iterator[str]:
    for service in manifests.of("Service"):
        found = _selected(manifests, {"matchLabels": service["spec"]["selector"]})
        ours = service["metadata"]["labels"][NAME]
        if found != [ours]:
            yield f"{label(service)} selects {found}"
    for database in manifests.of("StatefulSet"):
        if not manifests.find("Service", database["spec"]["serviceName"]):
            yield f"{label(database)} has no Service {database['spec']['serviceName']}"


def _budgets(manifests: Manifests) -> Iterator[str]:
    guarded = []
    for budget in manifests.of("PodDisruptionBudget"):
        guarded += _selected(manifests, budget["spec"].get("selector", {}))
        if budget["spec"].get("maxUnavailable") != 1:
            yield f"{label(budget)}: a node with a single replica could never be drained"
    if sorted(guarded) != sorted(named(each) for each in manifests.of("Deployment")):
        yield f"budgets guard {guarded}"


def _policies(manifests: Manifests) -> Iterator[str]:
    for policy in manifests.of("NetworkPolicy"):
        selectors = [policy["spec"]["podSelector"]]
        for direction, side in (("ingress", "from"), ("egress", "to")):
            for rule in policy["spec"].get(direction, ()):
                # A peer with a namespace is none of ours.
                selectors += [
                    peer["podSelector"]
                    for peer in rule.get(side, ())
                    if "namespaceSelector" not in peer
                ]
        for selector in selectors:
            yield from (
                f"{label(policy)} selects nothing by {each}"
                for each in _parts(selector)
                if not _selected(manifests, each)
            )


def _parts(selector: Object) -> Iterator[Object]:
    """Yield a selector for each value that it names, so that none is there for nothing."""
    yield {"matchLabels": selector.get("matchLabels", {})}
    for expression in selector.get("matchExpressions", ()):
        for value in expression["values"]:
            yield {"matchLabels": {expression["key"]: value}}


def _monitors(manifests: Manifests) -> Iterator[str]:
    for monitor in manifests.of("ServiceMonitor"):
        found = [
            named(service)
            for service in manifests.of("Service")
            if selects(monitor["spec"]["selector"], service["metadata"]["labels"])
        ]
        if found != [f"{named(each)}-admin" for each in manifests.of("Deployment")]:
            yield f"{label(monitor)} selects {found}"


def _selected(manifests: Manifests, selector: Object) -> list[str]:
    """Return the workloads with pods of these labels; the release of a Job does not count."""
    return [
        "bellbuoy-migrate" if workload["kind"] == "Job" else named(workload)
        for workload in manifests.workloads()
        if selects(selector, labels(workload))
    ]


@pytest.mark.parametrize("name", RENDERINGS)
def test_every_selector_finds_its_own(name: str) -> None:
    """Controllers, Services, budgets, policies, monitors and the spread of replicas."""
    assert list(problems(rendering(name))) == []


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_selector_that_misses_is_noticed(mistake: Mistake) -> None:
    """Too little and too much are both wrong."""
    assert list(problems(rendering("production").with_mistake(mistake))) != []


def test_a_missing_budget_is_noticed() -> None:
    """Each Deployment has one."""
    assert list(problems(rendering("dev").without("PodDisruptionBudget", "bellbuoy-api"))) != []
