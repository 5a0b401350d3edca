"""What every workload keeps to beyond Pod Security: no key to the cluster, bounded, unwritable."""

from collections.abc import Iterator
from pathlib import Path as File

import pytest

from tests.repository.kustomize import RENDERINGS, rendering
from tests.repository.manifests import (
    Manifests,
    Mistake,
    Object,
    containers,
    label,
    named,
    template,
)
from tests.repository.tree import text

POD = ("spec", "template", "spec")
CONTAINER = (*POD, "containers", 0)
ECHO = ("Deployment", "bellbuoy-echo")
POSTGRES = ("StatefulSet", "bellbuoy-postgres")
MISTAKES = {
    "token-in-the-pod": Mistake(*ECHO, (*POD, "automountServiceAccountToken"), value=True),
    "token-in-the-account": Mistake(
        "ServiceAccount", "bellbuoy-echo", ("automountServiceAccountToken",), value=True
    ),
    "default-account": Mistake(*ECHO, (*POD, "serviceAccountName")),
    "account-of-another": Mistake(*ECHO, (*POD, "serviceAccountName"), "bellbuoy-api"),
    "service-links": Mistake(*POSTGRES, (*POD, "enableServiceLinks")),
    "writable-root": Mistake(
        "Job", "bellbuoy-migrate", (*CONTAINER, "securityContext", "readOnlyRootFilesystem")
    ),
    "memory-without-limit": Mistake(*ECHO, (*CONTAINER, "resources", "limits")),
    "limited-cpu": Mistake(*ECHO, (*CONTAINER, "resources", "limits", "cpu"), "1"),
    "no-request": Mistake(*ECHO, (*CONTAINER, "resources", "requests", "cpu")),
    "volume-without-limit": Mistake(*ECHO, (*POD, "volumes", 0, "emptyDir"), {}),
    "image-without-tag": Mistake(*ECHO, (*CONTAINER, "image"), "bellbuoy-echo"),
    "image-behind-a-port-without-tag": Mistake(
        *ECHO, (*CONTAINER, "image"), "x:5000/bellbuoy-echo"
    ),
    "latest-image": Mistake(*POSTGRES, (*CONTAINER, "image"), "postgres:latest"),
    "replicas": Mistake(*ECHO, ("spec", "replicas"), 2),
    "replica-taken-first": Mistake(
        *ECHO, ("spec", "strategy", "rollingUpdate", "maxUnavailable"), "25%"
    ),
    "all-at-once": Mistake(*ECHO, ("spec", "strategy"), {"type": "Recreate"}),
    "no-spread": Mistake(*ECHO, (*POD, "topologySpreadConstraints")),
    "volume-that-nobody-may-share": Mistake(
        *POSTGRES, ("spec", "volumeClaimTemplates", 0, "spec", "accessModes")
    ),
    "a-secret-in-the-open": Mistake("ConfigMap", "bellbuoy-echo", ("kind",), "Secret"),
    "outside-the-namespace": Mistake("Service", "bellbuoy-api", ("metadata", "namespace")),
    "without-a-part-of": Mistake(
        "Service", "bellbuoy-api", ("metadata", "labels", "app.kubernetes.io/part-of")
    ),
}


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield what is less strict than every workload of ours is."""
    for each in manifests.objects:
        yield from (f"{label(each)}: {complaint}" for complaint in _placed(each))
    for account in manifests.of("ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            yield f"{label(account)}: a token"
    for workload in manifests.workloads():
        yield from (f"{label(workload)}: {complaint}" for complaint in _pod(workload))
        for container in containers(workload):
            yield from (f"{label(workload)}: {complaint}" for complaint in _container(container))
    for service in manifests.of("Deployment"):
        yield from (f"{label(service)}: {complaint}" for complaint in _rollout(service))
    for database in manifests.of("StatefulSet"):
        for claim in database["spec"]["volumeClaimTemplates"]:
            if claim["spec"].get("accessModes") != ["ReadWriteOnce"]:
                yield f"{label(database)}: {claim['spec']}"


def _placed(each: Object) -> Iterator[str]:
    metadata = each["metadata"]
    if each["kind"] == "Secret":
        yield "a Secret does not belong into a rendering"
    if each["kind"] != "Namespace" and metadata.get("namespace") != "bellbuoy":
        yield "in no namespace of ours"
    if metadata.get("labels", {}).get("app.kubernetes.io/part-of") != "bellbuoy":
        yield "part of nothing"


def _pod(workload: Object) -> Iterator[str]:
    spec = template(workload)["spec"]
    if spec.get("automountServiceAccountToken") is not False:
        yield "a token"
    if spec.get("enableServiceLinks") is not False:
        yield "service links"
    if not named(workload).startswith(spec.get("serviceAccountName", "none of its own")):
        yield "another's account"
    for volume in spec.get("volumes", ()):
        if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
            yield f"{volume['name']} has no limit"


def _container(container: Object) -> Iterator[str]:
    if container.get("securityContext", {}).get("readOnlyRootFilesystem") is not True:
        yield "its root can be written"
    resources = container.get("resources", {})
    if resources.get("limits", {}).keys() != {"memory"}:
        yield "memory is limited and nothing else: a limit of CPU throttles probes"
    if resources.get("requests", {}).keys() != {"cpu", "memory"}:
        yield "it asks for no CPU or no memory"
    _, _, tag = container["image"].rpartition("/")[2].partition(":")
    if tag in {"", "latest"}:
        yield f"{container['image']} is not one release"


def _rollout(service: Object) -> Iterator[str]:
    spec = service["spec"]
    if "replicas" in spec:
        yield "an apply would undo the autoscaler"
    if spec["strategy"].get("rollingUpdate", {}).get("maxUnavailable") != 0:
        yield "an update takes a replica before it brings one"
    spread = template(service)["spec"].get("topologySpreadConstraints", ())
    if {each["topologyKey"] for each in spread} != {
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    }:
        yield "replicas may all be in one place"


@pytest.mark.parametrize("name", RENDERINGS)
def test_every_workload_is_as_strict_as_it_can_be(name: str) -> None:
    """In every overlay and with every component."""
    assert list(problems(rendering(name))) == []


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_workload_that_is_less_strict_is_noticed(mistake: Mistake) -> None:
    """Each demand, not met by one object."""
    assert list(problems(rendering("dev").with_mistake(mistake))) != []


def test_our_images_have_a_user_by_number() -> None:
    """The manifests name none, so that a platform may choose one; runAsNonRoot needs a number."""
    users = {"python": "0"}
    stage = "python"
    for line in text(File("deploy/Dockerfile")).splitlines():
        match line.split():
            case ["FROM", parent, "AS", stage]:
                users[stage] = users.get(parent, "0")
            case ["USER", user]:
                users[stage] = user
    for image in ("echo", "api"):
        assert [int(part) > 0 for part in users[image].split(":")] == [True, True]
