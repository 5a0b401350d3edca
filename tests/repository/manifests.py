"""The objects that a rendering of k8s/ consists of, and what tests ask about them.

Law of this file: objects stay as plain as the API takes them, dictionaries and lists, because a
mistake is seeded into them by path.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
Path = tuple[str | int, ...]

WORKLOADS = ("Deployment", "StatefulSet", "Job")
REMOVED = object()
"""As a value: the member is taken away."""


@dataclass(frozen=True)
class Mistake:
    """A change of one member of one object, which a check must notice.

    Args:
        kind: The object's kind.
        name: The object's name, without the hash or the release at its end.
        path: Keys and indices from the object's root; what is missing on the way is made.
        value: What stands there then, or ``REMOVED``.
    """

    kind: str
    name: str
    path: Path
    value: Any = REMOVED


@dataclass(frozen=True)
class Manifests:
    """All objects of one rendering."""

    objects: tuple[Object, ...]

    def of(self, *kinds: str) -> list[Object]:
        """Return the objects of these kinds."""
        return [each for each in self.objects if each["kind"] in kinds]

    def find(self, kind: str, name: str) -> Object | None:
        """Return the object of exactly this name."""
        return next((each for each in self.of(kind) if named(each) == name), None)

    def get(self, kind: str, stem: str) -> Object:
        """Return the one object of this name, whatever hash or release is at its end."""
        names = {named(each): each for each in self.of(kind)}
        if stem in names:
            return names[stem]
        (found,) = (each for name, each in names.items() if name.startswith(f"{stem}-"))
        return found

    def workloads(self) -> list[Object]:
        """Return whatever makes pods."""
        return self.of(*WORKLOADS)

    def with_mistake(self, mistake: Mistake) -> "Manifests":
        """Return a copy in which the mistake was made."""
        changed = copy.deepcopy(self)
        place: Any = changed.get(mistake.kind, mistake.name)
        for key in mistake.path[:-1]:
            place = place.setdefault(key, {}) if isinstance(place, dict) else place[key]
        last: Any = mistake.path[-1]
        if mistake.value is REMOVED:
            del place[last]
        else:
            place[last] = mistake.value
        return changed

    def without(self, kind: str, stem: str) -> "Manifests":
        """Return a copy that lacks an object."""
        gone = self.get(kind, stem)
        return Manifests(tuple(each for each in self.objects if each is not gone))

    def environment(self, container: Object) -> dict[str, str]:
        """Return the variables of a container; one that is set twice has its last value."""
        found: dict[str, str] = {}
        for source in container.get("envFrom", ()):
            config = self.find("ConfigMap", source["configMapRef"]["name"])
            found |= config["data"] if config else {}
        return found | {each["name"]: each["value"] for each in container.get("env", ())}


def named(each: Object) -> str:
    """Return an object's name."""
    name: str = each["metadata"]["name"]
    return name


def label(each: Object) -> str:
    """Return how a message calls an object."""
    return f"{each['kind']}/{named(each)}"


def template(workload: Object) -> Object:
    """Return a workload's pod: metadata and spec."""
    pod: Object = workload["spec"]["template"]
    return pod


def containers(workload: Object) -> list[Object]:
    """Return a workload's containers, those that run first, too."""
    spec = template(workload)["spec"]
    return [*spec.get("initContainers", ()), *spec["containers"]]


def ports(workload: Object) -> dict[str, int]:
    """Return a workload's named ports."""
    found = (port for each in containers(workload) for port in each.get("ports", ()))
    return {port["name"]: port["containerPort"] for port in found}


def labels(workload: Object) -> dict[str, str]:
    """Return the labels of a workload's pods."""
    found: dict[str, str] = template(workload)["metadata"].get("labels", {})
    return found


def selects(selector: Mapping[str, Any], candidate: Mapping[str, str]) -> bool:
    """Return whether a label selector of the API matches these labels."""
    exact = selector.get("matchLabels", {})
    return all(candidate.get(key) == value for key, value in exact.items()) and all(
        _fulfils(expression, candidate) for expression in selector.get("matchExpressions", ())
    )


def _fulfils(expression: Object, candidate: Mapping[str, str]) -> bool:
    value = candidate.get(expression["key"])
    match expression["operator"]:
        case "In":
            return value in expression["values"]
        case "NotIn":
            return value not in expression["values"]
        case "Exists":
            return value is not None
        case _:
            return value is None
