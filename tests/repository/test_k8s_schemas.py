"""Every rendered object is one that the API server of each supported Kubernetes understands."""

import json
from collections.abc import Iterator
from functools import cache

import kubernetes_validate as schemas  # type: ignore[import-untyped] # it has no py.typed
import pytest

from tests.repository.kustomize import RENDERINGS, rendering
from tests.repository.manifests import Manifests, Mistake, label

VERSIONS = ("1.35", "1.36", "1.37")
"""The minor versions that Kubernetes maintains."""

CUSTOM = ("monitoring.coreos.com/v1", "gateway.networking.k8s.io/v1")
"""APIs that others add to a cluster; test_k8s_customresources.py checks their objects."""

CONTAINER = ("spec", "template", "spec", "containers", 0)
MISTAKES = {
    "misspelt": Mistake("Deployment", "bellbuoy-echo", (*CONTAINER, "readinesProbe"), {}),
    "misplaced": Mistake("Deployment", "bellbuoy-api", ("spec", "enableServiceLinks"), value=False),
    "of-the-wrong-type": Mistake("Service", "bellbuoy-echo", ("spec", "ports", 0, "port"), "8888"),
    "required-and-absent": Mistake("StatefulSet", "bellbuoy-postgres", ("spec", "selector")),
    "of-an-old-api": Mistake(
        "PodDisruptionBudget", "bellbuoy-api", ("apiVersion",), "policy/v1beta1"
    ),
    "of-an-unknown-kind": Mistake("Job", "bellbuoy-migrate", ("kind",), "Jobs"),
}


def problems(manifests: Manifests, version: str) -> Iterator[str]:
    """Yield what does not fit the schemas of one version."""
    for each in manifests.objects:
        if each["apiVersion"] not in CUSTOM:
            complaint = misfit(json.dumps(each), version)
            if complaint:
                yield f"{label(each)}: {complaint}"


@cache
def misfit(document: str, version: str) -> str:
    """Return why an object does not fit; renderings have most objects in common."""
    try:
        assert schemas.validate(json.loads(document), version, strict=True) == version
    except (schemas.ValidationError, schemas.SchemaNotFoundError) as error:
        return str(error.message)
    return ""


@pytest.mark.slow  # the schemas of a version are two megabytes
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", RENDERINGS)
def test_every_object_fits_its_schema(name: str, version: str) -> None:
    """No member is unknown, absent or of the wrong type."""
    assert list(problems(rendering(name), version)) == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_member_that_does_not_fit_is_noticed(mistake: Mistake, version: str) -> None:
    """The validation is strict, in each version."""
    right = rendering("dev").get(mistake.kind, mistake.name)
    wrong = Manifests((right,)).with_mistake(mistake)
    assert list(problems(Manifests((right,)), version)) == []
    assert len(list(problems(wrong, version))) == 1


def test_the_newest_version_that_is_known_is_among_them() -> None:
    """An upgrade of the schemas is followed by one of VERSIONS."""
    assert schemas.latest_version().startswith(f"{VERSIONS[-1]}.")
