"""What an object names exists: in the rendering, or as a Secret that `make k8s-secrets` creates."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path as File

import pytest

from bellbuoy.settings import variable
from tests.repository.kustomize import RENDERINGS, rendering
from tests.repository.manifests import Manifests, Mistake, Object, containers, label, template
from tests.repository.test_k8s_settings import PROGRAMS
from tests.repository.tree import text

POD = ("spec", "template", "spec")
CONTAINER = (*POD, "containers", 0)
API = ("Deployment", "bellbuoy-api")
MIGRATE = ("Job", "bellbuoy-migrate")
POSTGRES = ("StatefulSet", "bellbuoy-postgres")
ITEMS = (*POD, "volumes", 1, "projected", "sources", 0, "secret")
MISTAKES = {
    "config": Mistake(*API, (*CONTAINER, "envFrom", 0, "configMapRef", "name"), "bellbuoy-api"),
    "secret": Mistake(*API, (*ITEMS, "name"), "bellbuoy-db"),
    "key-of-a-secret": Mistake(*API, (*ITEMS, "items", 0, "key"), "password"),
    "key-of-a-config": Mistake(
        *POSTGRES, (*POD, "volumes", 4, "configMap", "items", 0, "key"), "rolls.sql"
    ),
    "account": Mistake(*API, (*POD, "serviceAccountName"), "api"),
    "volume": Mistake(*API, (*CONTAINER, "volumeMounts", 0, "name"), "temporary"),
    "volume-for-nothing": Mistake(*API, (*CONTAINER, "volumeMounts"), []),
    "claim": Mistake(*POSTGRES, ("spec", "volumeClaimTemplates", 0, "metadata", "name"), "pg"),
    "file-of-a-secret": Mistake(*MIGRATE, (*CONTAINER, "env", 1, "value"), "/run/secrets/owner"),
    "file-that-is-not-mounted": Mistake(
        *MIGRATE, (*CONTAINER, "volumeMounts", 0, "mountPath"), "/secrets"
    ),
    "script": Mistake(*POSTGRES, (*CONTAINER, "volumeMounts", 5, "mountPath"), "/etc/postgresql"),
    "scaled-deployment": Mistake(
        "HorizontalPodAutoscaler", "bellbuoy-api", ("spec", "scaleTargetRef", "name"), "api"
    ),
    "scaled-kind": Mistake(
        "HorizontalPodAutoscaler", "bellbuoy-api", ("spec", "scaleTargetRef", "kind"), "StatefulSet"
    ),
}
CREATED = re.compile(r"^\t@\$\(call K8S_SECRET,([\w-]+),([\w./ ]+)\)$", re.MULTILINE)
INCLUDED = re.compile(r"^\\i (\S+)$|`cat (\S+)`", re.MULTILINE)


def secrets() -> dict[str, set[str]]:
    """Return the Secrets that the Makefile creates, with their keys."""
    created = CREATED.findall(text(File("Makefile")))
    return {name: {File(file).name for file in files.split()} for name, files in created}


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield references that lead nowhere, and volumes that nobody mounts."""
    for workload in manifests.workloads():
        spec = template(workload)["spec"]
        yield from (f"{label(workload)}: {each}" for each in _dangling(manifests, workload))
        if not manifests.find("ServiceAccount", spec["serviceAccountName"]):
            yield f"{label(workload)}: no account {spec['serviceAccountName']}"
    for scaler in manifests.of("HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        if not manifests.find(target["kind"], target["name"]):
            yield f"{label(scaler)}: no {target}"


def _dangling(manifests: Manifests, workload: Object) -> Iterator[str]:
    spec = template(workload)["spec"]
    claims = [each["metadata"]["name"] for each in workload["spec"].get("volumeClaimTemplates", ())]
    volumes = {each["name"]: each for each in spec.get("volumes", ())}
    mounted: set[str] = set()
    for container in containers(workload):
        for source in container.get("envFrom", ()):
            if not manifests.find("ConfigMap", source["configMapRef"]["name"]):
                yield f"no {source}"
        mounts = {each["name"]: each["mountPath"] for each in container.get("volumeMounts", ())}
        mounted |= mounts.keys()
        present = {
            f"{path}/{file}" for name, path in mounts.items() for file in _files(volumes.get(name))
        }
        yield from (f"no file {each}" for each in _needed(manifests, container) - present)
    if mounted != volumes.keys() | set(claims):
        yield f"mounted are {sorted(mounted)}, there are {sorted(volumes)} and {claims}"
    for volume in volumes.values():
        yield from _absent_keys(manifests, volume)


def _needed(manifests: Manifests, container: Object) -> set[str]:
    """Return the files that a container's settings, and the scripts it runs, name."""
    read = {
        variable(field.name)
        for cls in PROGRAMS.get(container["name"], ())
        for field in dataclasses.fields(cls)
    } | {"POSTGRES_PASSWORD_FILE"}
    variables = manifests.environment(container)
    needed = {variables[key] for key in read & variables.keys() if key.endswith("_FILE")}
    if container["name"] == "postgres":
        script = manifests.get("ConfigMap", "bellbuoy-postgres")["data"]["init.sql"]
        needed |= {first or second for first, second in INCLUDED.findall(script)}
    return needed


def _sources(volume: Object) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield kind, name and {key: file} of what a volume shows; a whole Secret is all its keys."""
    for source in volume.get("projected", {}).get("sources", [volume]):
        for kind, member, key in (
            ("Secret", "secret", "secretName"),
            ("ConfigMap", "configMap", "name"),
        ):
            if member in source:
                name = source[member].get(key) or source[member]["name"]
                whole = {each: each for each in secrets().get(name, ())}
                items = source[member].get("items")
                yield kind, name, {i["key"]: i["path"] for i in items} if items else whole


def _files(volume: Object | None) -> Iterator[str]:
    for _, _, items in _sources(volume or {}):
        yield from items.values()


def _absent_keys(manifests: Manifests, volume: Object) -> Iterator[str]:
    for kind, name, items in _sources(volume):
        config = manifests.find("ConfigMap", name)
        known = secrets().get(name, set()) if kind == "Secret" else (config or {}).get("data", {})
        if not known or items.keys() - set(known):
            yield f"{kind} {name} lacks {sorted(items.keys() - set(known))}"


@pytest.mark.parametrize("name", RENDERINGS)
def test_every_reference_leads_somewhere(name: str) -> None:
    """ConfigMaps, Secrets and their keys, accounts, volumes, files, and what is scaled."""
    assert list(problems(rendering(name))) == []


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_reference_that_leads_nowhere_is_noticed(mistake: Mistake) -> None:
    """Each kind of reference, broken once."""
    assert list(problems(rendering("production").with_mistake(mistake))) != []


@pytest.mark.parametrize(
    "kind, name", [("ServiceAccount", "bellbuoy-api"), ("ConfigMap", "bellbuoy-migrate")]
)
def test_an_object_that_is_missing_is_noticed(kind: str, name: str) -> None:
    """Others name it."""
    assert list(problems(rendering("dev").without(kind, name))) != []


def test_every_secret_is_made_by_the_script_that_compose_uses_and_documented() -> None:
    """One list of secrets: deploy/secrets makes the files, the manual names the Secrets."""
    made = text(File("deploy/secrets"))
    manual = text(File("docs/kubernetes.md"))
    assert secrets()
    for name, keys in secrets().items():
        assert f"`{name}`" in manual
        assert [key for key in keys if key not in made or f"`{key}`" not in manual] == []


def test_no_pod_holds_a_secret_that_it_does_not_need() -> None:
    """The api cannot log in as the owner, and no service can as the superuser."""
    held = {
        label(workload).split("-0")[0]: {
            file
            for volume in template(workload)["spec"]["volumes"]
            for kind, _, items in _sources(volume)
            if kind == "Secret"
            for file in items.values()
        }
        for workload in rendering("dev").workloads()
    }
    assert held == {
        "Deployment/bellbuoy-api": {"app.password", "api/api.tokens", "admin.token"},
        "Deployment/bellbuoy-echo": {"admin.token"},
        "Job/bellbuoy-migrate": {"owner.password"},
        "StatefulSet/bellbuoy-postgres": {
            "postgres.password",
            "owner.password",
            "app.password",
            "metrics.password",
        },
    }
