"""The network opens exactly what is needed, and what is needed follows from the other objects."""

import json
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.repository.kustomize import RENDERINGS, rendering
from tests.repository.manifests import (
    Manifests,
    Mistake,
    Object,
    containers,
    label,
    labels,
    ports,
    selects,
)

ANYONE = "anyone"
PROMETHEUS = "prometheus in monitoring"
NAME_SERVER = "kube-dns in kube-system"
OUTSIDE = {
    json.dumps(
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "podSelector": {"matchLabels": {key: value}},
        },
        sort_keys=True,
    ): name
    for name, namespace, key, value in (
        (PROMETHEUS, "monitoring", "app.kubernetes.io/name", "prometheus"),
        (NAME_SERVER, "kube-system", "k8s-app", "kube-dns"),
    )
}
RULE = ("spec", "ingress", 0)
MISTAKES = {
    "no-default": Mistake("NetworkPolicy", "default-deny", ("spec", "policyTypes"), ["Ingress"]),
    "default-of-some": Mistake(
        "NetworkPolicy",
        "default-deny",
        ("spec", "podSelector", "matchLabels"),
        {"app.kubernetes.io/name": "bellbuoy-echo"},
    ),
    "default-that-allows": Mistake("NetworkPolicy", "default-deny", ("spec", "ingress"), [{}]),
    "all-ports": Mistake("NetworkPolicy", "bellbuoy-echo", (*RULE, "ports")),
    "admin-for-anyone": Mistake("NetworkPolicy", "prometheus", (*RULE, "from")),
    "admin-for-a-whole-namespace": Mistake(
        "NetworkPolicy", "prometheus", (*RULE, "from", 0, "podSelector")
    ),
    "admin-for-that-name-anywhere": Mistake(
        "NetworkPolicy", "prometheus", (*RULE, "from", 0, "namespaceSelector"), {}
    ),
    "public-port-closed": Mistake("NetworkPolicy", "bellbuoy-api", (*RULE, "ports", 0, "port"), 80),
    "database-for-anyone": Mistake("NetworkPolicy", "bellbuoy-postgres", (*RULE, "from")),
    "database-for-echo": Mistake(
        "NetworkPolicy",
        "bellbuoy-postgres",
        (*RULE, "from", 0, "podSelector", "matchExpressions", 0, "values"),
        ["bellbuoy-api", "bellbuoy-echo", "bellbuoy-migrate"],
    ),
    "no-way-to-the-database": Mistake(
        "NetworkPolicy", "database-clients", ("spec", "egress", 0, "ports", 0, "port"), 5433
    ),
    "no-names": Mistake(
        "NetworkPolicy", "database-clients", ("spec", "egress", 1, "ports", 0, "protocol"), "TCP"
    ),
    "names-of-anyone": Mistake("NetworkPolicy", "database-clients", ("spec", "egress", 1, "to")),
    "the-whole-world": Mistake(
        "NetworkPolicy",
        "database-clients",
        ("spec", "egress", 0, "to", 0),
        {"ipBlock": {"cidr": "0.0.0.0/0"}},
    ),
    "not-for-migrate": Mistake(
        "NetworkPolicy",
        "database-clients",
        ("spec", "podSelector", "matchExpressions", 0, "values"),
        ["bellbuoy-api"],
    ),
    "a-new-port": Mistake("Service", "bellbuoy-echo", ("spec", "ports", 0, "targetPort"), "admin"),
}


class Opening(NamedTuple):
    """A way in or out: the pod, the direction, who is at the other end, and the port there."""

    app: str
    direction: str
    peer: str
    port: int | str
    protocol: str = "TCP"


def opened(manifests: Manifests) -> Iterator[Opening]:
    """Yield what the policies open, rule by rule and port by port."""
    for policy in manifests.of("NetworkPolicy"):
        for workload in manifests.workloads():
            if not selects(policy["spec"]["podSelector"], labels(workload)):
                continue
            for direction, side in (("ingress", "from"), ("egress", "to")):
                for rule in policy["spec"].get(direction, ()):
                    yield from _rule(manifests, workload, direction, rule, rule.get(side))


def _rule(
    manifests: Manifests, workload: Object, direction: str, rule: Object, peers: list[Object] | None
) -> Iterator[Opening]:
    others = [name for peer in peers for name in _peer(manifests, peer)] if peers else [ANYONE]
    for port in rule.get("ports", [{"port": "every port"}]):
        number = port["port"]
        if direction == "ingress":
            number = ports(workload).get(number, number)
        for other in others:
            yield Opening(_app(workload), direction, other, number, port.get("protocol", "TCP"))


def _peer(manifests: Manifests, peer: Object) -> list[str]:
    """Return the pods of ours that a peer means, or the name of the one it means elsewhere."""
    if peer.keys() == {"podSelector"}:
        selector = peer["podSelector"]
        return [_app(each) for each in manifests.workloads() if selects(selector, labels(each))]
    described = json.dumps(peer, sort_keys=True)
    return [OUTSIDE.get(described, described)]


def needed(manifests: Manifests) -> Iterator[Opening]:
    """Yield what Services, admin ports and database settings ask for."""
    database = manifests.get("Service", "postgres")["spec"]
    for service in manifests.of("Service"):
        if service["spec"] == database or service["spec"].get("clusterIP") == "None":
            continue
        for workload in _behind(manifests, service):
            for port in service["spec"]["ports"]:
                number = ports(workload).get(port["targetPort"], port["targetPort"])
                yield Opening(_app(workload), "ingress", ANYONE, number)
    for workload in manifests.workloads():
        if "admin" in ports(workload):
            yield Opening(_app(workload), "ingress", PROMETHEUS, ports(workload)["admin"])
        variables = [manifests.environment(each) for each in containers(workload)]
        if any("BUOY_DB_HOST" in each for each in variables):
            for other in _behind(manifests, manifests.get("Service", variables[0]["BUOY_DB_HOST"])):
                number = ports(other)["postgres"]
                yield Opening(_app(workload), "egress", _app(other), number)
                yield Opening(_app(other), "ingress", _app(workload), number)
            yield Opening(_app(workload), "egress", NAME_SERVER, 53, "UDP")
            yield Opening(_app(workload), "egress", NAME_SERVER, 53, "TCP")


def _behind(manifests: Manifests, service: Object) -> list[Object]:
    selector = {"matchLabels": service["spec"]["selector"]}
    return [each for each in manifests.workloads() if selects(selector, labels(each))]


def _app(workload: Object) -> str:
    return labels(workload)["app.kubernetes.io/name"]


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield what is open without need, needed but closed, and a default that is not denial."""
    there, wanted = set(opened(manifests)), set(needed(manifests))
    yield from (f"not needed: {each}" for each in there - wanted)
    yield from (f"closed: {each}" for each in wanted - there)
    deny = manifests.get("NetworkPolicy", "default-deny")
    if deny["spec"] != {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}:
        yield f"{label(deny)}: {deny['spec']}"
    for policy in manifests.of("NetworkPolicy"):
        directions = {each.capitalize() for each in policy["spec"].keys() & {"ingress", "egress"}}
        if policy is not deny and directions != set(policy["spec"]["policyTypes"]):
            yield f"{label(policy)}: it says {policy['spec']['policyTypes']}"


@pytest.mark.parametrize("name", RENDERINGS)
def test_exactly_what_is_needed_is_open(name: str) -> None:
    """Public ports for anyone, admin ports for Prometheus, PostgreSQL for its clients, names."""
    assert list(problems(rendering(name))) == []


def test_what_is_needed_is_what_one_thinks() -> None:
    """The derivation itself, written out once."""
    client = [
        ("bellbuoy-postgres", 5432, "TCP"),
        (NAME_SERVER, 53, "UDP"),
        (NAME_SERVER, 53, "TCP"),
    ]
    assert set(needed(rendering("dev"))) == {
        Opening("bellbuoy-echo", "ingress", ANYONE, 8888),
        Opening("bellbuoy-api", "ingress", ANYONE, 8080),
        Opening("bellbuoy-echo", "ingress", PROMETHEUS, 9888),
        Opening("bellbuoy-api", "ingress", PROMETHEUS, 9080),
        Opening("bellbuoy-postgres", "ingress", "bellbuoy-api", 5432),
        Opening("bellbuoy-postgres", "ingress", "bellbuoy-migrate", 5432),
        *(Opening("bellbuoy-api", "egress", *each) for each in client),
        *(Opening("bellbuoy-migrate", "egress", *each) for each in client),
    }


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_an_opening_too_many_or_too_few_is_noticed(mistake: Mistake) -> None:
    """Each rule, widened or narrowed."""
    assert list(problems(rendering("dev").with_mistake(mistake))) != []


@pytest.mark.parametrize("name", ["bellbuoy-echo", "database-clients", "prometheus"])
def test_a_missing_policy_is_noticed(name: str) -> None:
    """Behind a default that denies, it would cut something off."""
    assert list(problems(rendering("dev").without("NetworkPolicy", name))) != []
