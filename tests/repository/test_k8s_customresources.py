"""Objects of APIs that Kubernetes does not bring, so that no schema of its own knows them.

The shapes are written by hand from the references of Gateway API 1.6 and the Prometheus operator:
only what we use, so that a member that is new here is looked up first.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.repository.kustomize import rendering
from tests.repository.manifests import Manifests, Mistake, Object, label, named

GATEWAY = "gateway.networking.k8s.io/v1"
PROMETHEUS = "monitoring.coreos.com/v1"

ROUTE: Object = {
    "parentRefs": [{"name": str, "sectionName": str}],
    "rules": [{"backendRefs": [{"name": str, "port": int}]}],
}
SHAPES: dict[tuple[str, str], Object] = {
    (GATEWAY, "Gateway"): {
        "gatewayClassName": str,
        "listeners": [
            {
                "name": str,
                "protocol": str,
                "port": int,
                "allowedRoutes": {"namespaces": {"from": str}, "kinds": [{"kind": str}]},
            }
        ],
    },
    (GATEWAY, "HTTPRoute"): ROUTE,
    (GATEWAY, "TCPRoute"): ROUTE,
    (PROMETHEUS, "ServiceMonitor"): {
        "selector": {
            "matchLabels": {"app.kubernetes.io/part-of": str, "app.kubernetes.io/component": str}
        },
        "endpoints": [
            {
                "port": str,
                "path": str,
                "interval": str,
                "scrapeTimeout": str,
                "relabelings": [{"sourceLabels": [str], "targetLabel": str}],
            }
        ],
    },
}
RULE: Object = {"expr": str, "labels": dict}
ALERT = RULE | {
    "alert": str,
    "annotations": {"summary": str, "description": str, "runbook_url": str},
}
SHAPES[PROMETHEUS, "PrometheusRule"] = {
    "groups": [{"name": str, "rules": [(RULE | {"record": str}, ALERT, ALERT | {"for": str})]}]
}
KINDS = {kind for _, kind in SHAPES}
PROTOCOLS = {"HTTPRoute": "HTTP", "TCPRoute": "TCP"}

FIRST_RULE = ("spec", "groups", 0, "rules", 0)
LISTENER = ("spec", "listeners", 1)
BACKEND = ("spec", "rules", 0, "backendRefs", 0)
MISTAKES = {
    "misspelt": Mistake("ServiceMonitor", "bellbuoy", ("spec", "endpoint"), []),
    "absent": Mistake("Gateway", "bellbuoy", ("spec", "gatewayClassName")),
    "of-the-wrong-type": Mistake("TCPRoute", "bellbuoy-echo", (*BACKEND, "port"), "echo"),
    "of-an-old-api": Mistake(
        "TCPRoute", "bellbuoy-echo", ("apiVersion",), "gateway.networking.k8s.io/v1alpha2"
    ),
    "no-such-gateway": Mistake("HTTPRoute", "bellbuoy-api", ("spec", "parentRefs", 0, "name"), "x"),
    "no-such-listener": Mistake(
        "TCPRoute", "bellbuoy-echo", ("spec", "parentRefs", 0, "sectionName"), "tcp"
    ),
    "listener-of-another-protocol": Mistake("Gateway", "bellbuoy", (*LISTENER, "protocol"), "HTTP"),
    "listener-that-refuses-the-route": Mistake(
        "Gateway", "bellbuoy", (*LISTENER, "allowedRoutes", "kinds", 0, "kind"), "UDPRoute"
    ),
    "no-such-service": Mistake("TCPRoute", "bellbuoy-echo", (*BACKEND, "name"), "echo"),
    "rule-without-a-name": Mistake("PrometheusRule", "bellbuoy", (*FIRST_RULE, "alert")),
    "rule-that-says-since-instead-of-for": Mistake(
        "PrometheusRule", "bellbuoy", (*FIRST_RULE, "since"), "1m"
    ),
    "no-such-port": Mistake("HTTPRoute", "bellbuoy-api", (*BACKEND, "port"), 80),
}


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield what is wrong with custom objects."""
    for each in manifests.of(*KINDS):
        shape = SHAPES.get((each["apiVersion"], each["kind"]))
        if shape is None:
            yield f"{label(each)}: {each['apiVersion']} has no such kind"
            continue
        yield from _misfits(label(each), each["spec"], shape)
    for route in manifests.of(*PROTOCOLS):
        yield from _dangling(manifests, route)


def _misfits(place: str, value: Any, shape: Any) -> Iterator[str]:
    """Compare a value with a shape.

    A type, a list of one shape, one of several shapes, or all members of an object.
    """
    if isinstance(shape, type):
        if not isinstance(value, shape):
            yield f"{place}: {value!r} is no {shape.__name__}"
    elif isinstance(shape, tuple):
        tries = [[*_misfits(place, value, each)] for each in shape]
        yield from min(tries, key=len)
    elif isinstance(shape, list):
        if not isinstance(value, list) or not value:
            yield f"{place}: {value!r} is no list with members"
            return
        for index, each in enumerate(value):
            yield from _misfits(f"{place}.{index}", each, shape[0])
    else:
        for key in value.keys() ^ shape.keys():
            yield f"{place}: {key} is absent or unknown"
        for key in value.keys() & shape.keys():
            yield from _misfits(f"{place}.{key}", value[key], shape[key])


def _dangling(manifests: Manifests, route: Object) -> Iterator[str]:
    """Follow a route to its listener and to its Service."""
    for parent in route["spec"]["parentRefs"]:
        gateway = manifests.find("Gateway", parent["name"])
        listeners = gateway["spec"]["listeners"] if gateway else []
        if not any(
            listener["name"] == parent["sectionName"]
            and listener["protocol"] == PROTOCOLS[route["kind"]]
            and {"kind": route["kind"]} in listener["allowedRoutes"]["kinds"]
            for listener in listeners
        ):
            yield f"{label(route)}: no listener {parent}"
    for rule in route["spec"]["rules"]:
        for backend in rule["backendRefs"]:
            service = manifests.find("Service", backend["name"])
            offered = [port["port"] for port in service["spec"]["ports"]] if service else []
            if backend["port"] not in offered:
                yield f"{label(route)}: no backend {backend}"


@pytest.mark.parametrize("name", ["gateway", "monitoring", "production"])
def test_every_custom_object_has_its_shape_and_finds_its_others(name: str) -> None:
    """Routes lead from a listener that takes them to a port of a Service."""
    assert list(problems(rendering(name))) == []


def test_production_has_one_of_each_kind() -> None:
    """No shape is without an object that it is for, and no route is missing."""
    found = [(each["kind"], named(each)) for each in rendering("production").of(*KINDS)]
    assert sorted(found) == [
        ("Gateway", "bellbuoy"),
        ("HTTPRoute", "bellbuoy-api"),
        ("PrometheusRule", "bellbuoy"),
        ("ServiceMonitor", "bellbuoy"),
        ("TCPRoute", "bellbuoy-echo"),
    ]


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_custom_object_that_is_wrong_is_noticed(mistake: Mistake) -> None:
    """Shape and relations are both checked."""
    assert list(problems(rendering("production").with_mistake(mistake))) != []
