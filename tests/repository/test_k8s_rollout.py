"""A second apply works: what changed has a new name, or may be changed where it stands."""

import re
from collections.abc import Iterator
from pathlib import Path as File
from subprocess import CalledProcessError

import pytest

from bellbuoy import __version__
from tests.repository.kustomize import OVERLAYS, changed, rendering
from tests.repository.manifests import Manifests, Mistake, containers, label, named, template
from tests.repository.tree import text

pytestmark = pytest.mark.slow  # each renders a changed copy of the checkout, some two

MUTABLE = {
    "Job": {
        "parallelism",
        "suspend",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
    },
    "StatefulSet": {
        "minReadySeconds",
        "ordinals",
        "persistentVolumeClaimRetentionPolicy",
        "replicas",
        "revisionHistoryLimit",
        "template",
        "updateStrategy",
    },
}
"""Members of a spec that the API server lets an update change; of others, all but these."""

IMMUTABLE = {"Deployment": {"selector"}, "Service": {"clusterIP"}}

KUSTOMIZATION = "k8s/overlays/{}/kustomization.yaml"
NEW_TAG = "\nimages:\n  - name: bellbuoy-api\n    newTag: {}\n"
CHANGES = {
    "image": ("k8s/base/kustomization.yaml", "newTag: 0.1.0", "newTag: 0.2.0-rc1"),
    "configuration": ("deploy/config/api.env", "BUOY_WORKERS=1", "BUOY_WORKERS=2"),
    "database": ("deploy/config/api.env", "BUOY_DB_HOST=postgres", "BUOY_DB_HOST=elsewhere"),
    "drain": ("k8s/base/kubernetes.env", "SECONDS=10", "SECONDS=11"),
    "script": ("deploy/postgres/roles.sql", "-- Roles", "-- The roles"),
    "pod-of-the-database": ("k8s/base/postgres/statefulset.yaml", "Seconds: 120", "Seconds: 180"),
}
RENAMED = {
    "image": {"Job/bellbuoy-migrate-0.2.0-rc1"},
    "configuration": {"ConfigMap/bellbuoy-api-"},
    "database": {"ConfigMap/bellbuoy-api-"},
    "drain": {"ConfigMap/bellbuoy-kubernetes-"},
    "script": set[str](),
    "pod-of-the-database": set[str](),
}

MISTAKES = {
    "selector": Mistake(
        "Deployment", "bellbuoy-echo", ("spec", "selector", "matchLabels", "release"), "2"
    ),
    "claim": Mistake(
        "StatefulSet",
        "bellbuoy-postgres",
        ("spec", "volumeClaimTemplates", 0, "spec", "resources", "requests", "storage"),
        "2Gi",
    ),
    "label-of-a-claim": Mistake(
        "StatefulSet",
        "bellbuoy-postgres",
        ("spec", "volumeClaimTemplates", 0, "metadata", "labels"),
        {"app.kubernetes.io/version": "2"},
    ),
    "governing-service": Mistake("StatefulSet", "bellbuoy-postgres", ("spec", "serviceName"), "db"),
    "address": Mistake("Service", "postgres", ("spec", "clusterIP"), "None"),
    "template-of-a-job": Mistake(
        "Job", "bellbuoy-migrate", ("spec", "template", "spec", "containers", 0, "image"), "x:2"
    ),
}


def refusals(before: Manifests, after: Manifests) -> Iterator[str]:
    """Yield what the API server refuses to change when `after` is applied over `before`."""
    for new in after.objects:
        old = before.find(new["kind"], named(new))
        if old is None:
            continue
        was, becomes = old.get("spec", {}), new.get("spec", {})
        keys = {key for key in was.keys() | becomes.keys() if was.get(key) != becomes.get(key)}
        if new["kind"] in MUTABLE:
            keys -= MUTABLE[new["kind"]]
        else:
            keys &= IMMUTABLE.get(new["kind"], set())
        yield from (f"{label(new)}: {key} cannot be changed" for key in sorted(keys))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_change_can_be_applied_over_what_is_there(overlay: str, change: str) -> None:
    """A new image, a new configuration, a new script: nothing immutable is touched."""
    before, after = rendering(overlay), changed(overlay, CHANGES[change])
    assert after != before
    assert list(refusals(before, after)) == []
    new = {label(each) for each in after.objects} - {label(each) for each in before.objects}
    assert len(new) == len(RENAMED[change])
    assert [each for each in new if not each.startswith(tuple(RENAMED[change]))] == []


@pytest.mark.parametrize("change", ["configuration", "drain"])
def test_a_new_configuration_replaces_the_pods_that_read_it(change: str) -> None:
    """The hash of its ConfigMap is in the Deployment's template."""
    before, after = rendering("dev"), changed("dev", CHANGES[change])
    api = [template(each.get("Deployment", "bellbuoy-api")) for each in (before, after)]
    assert api[0] != api[1]


def test_a_new_script_leaves_the_database_running() -> None:
    """It runs on an empty volume only."""
    after = changed("dev", CHANGES["script"])
    assert after.of("StatefulSet") == rendering("dev").of("StatefulSet")


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_change_that_would_be_refused_is_noticed(mistake: Mistake) -> None:
    """Each member that the API server guards."""
    before = rendering("dev")
    assert len(list(refusals(before, before.with_mistake(mistake)))) == 1


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_without_the_release_in_its_name_the_job_would_be_refused(overlay: str) -> None:
    """What release/ is for."""
    without = (KUSTOMIZATION.format(overlay), "transformers:\n  - ../../release\n", "")
    before, after = changed(overlay, without), changed(overlay, without, CHANGES["image"])
    assert list(refusals(before, after)) == [
        "Job/bellbuoy-migrate-release: template cannot be changed"
    ]


def test_with_a_hashed_configuration_the_job_would_be_refused() -> None:
    """Why deploy/config makes the Job a ConfigMap of its own, without a hash."""
    hashed = ("k8s/base/migrate/job.yaml", "{name: bellbuoy-migrate}", "{name: bellbuoy-api}")
    before = changed("dev", hashed)
    after = changed("dev", hashed, CHANGES["configuration"])
    assert list(refusals(before, after)) == [
        "Job/bellbuoy-migrate-0.1.0: template cannot be changed"
    ]


@pytest.mark.parametrize(
    "images, name",
    [
        (NEW_TAG.format("1.2.3"), "bellbuoy-migrate-1.2.3"),
        (
            NEW_TAG.format("1.2.3\n    newName: localhost:5000/bellbuoy-api"),
            "bellbuoy-migrate-1.2.3",
        ),
        (NEW_TAG.format("1.2.3\n    digest: sha256:" + "0" * 64), "bellbuoy-migrate-1.2.3"),
    ],
    ids=["tag", "registry-with-a-port", "tag-and-digest"],
)
def test_the_job_is_named_after_the_release_wherever_the_image_comes_from(
    images: str, name: str
) -> None:
    """An overlay's own images are what counts, and the image itself stays whole."""
    job = changed("dev", (KUSTOMIZATION.format("dev"), "", images)).get("Job", name)
    assert named(job) == name
    assert "bellbuoy-api:1.2.3" in containers(job)[0]["image"]


def test_an_image_without_a_release_is_refused() -> None:
    """A digest alone names no release; better no rendering than one that cannot be applied."""
    digest = "\nimages:\n  - name: bellbuoy-api\n    digest: sha256:" + "0" * 64 + "\n"
    with pytest.raises(CalledProcessError) as refused:
        changed("dev", (KUSTOMIZATION.format("dev"), "", digest))
    assert "out of bounds" in refused.value.stderr


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_release_is_the_version_of_the_chassis(overlay: str) -> None:
    """Images, the Job's name and `bellbuoy.__version__` agree."""
    manifests = rendering(overlay)
    tags = {
        container["image"].rpartition(":")[2]
        for workload in manifests.of("Deployment", "Job")
        for container in containers(workload)
    }
    assert tags == {__version__}
    assert named(manifests.get("Job", "bellbuoy-migrate")) == f"bellbuoy-migrate-{__version__}"


def test_an_overlay_changes_a_setting_as_the_manual_says() -> None:
    """The example merges into the shared file's ConfigMap, and gives it a new name."""
    manual = text(File("docs/kubernetes.md"))
    (example,) = re.findall(r"```yaml\n(configMapGenerator:\n.*?)```", manual, re.DOTALL)
    after = changed("dev", (KUSTOMIZATION.format("dev"), "", f"\n{example}"))
    (api,) = containers(after.get("Deployment", "bellbuoy-api"))
    before = rendering("dev").environment(
        containers(rendering("dev").get("Deployment", "bellbuoy-api"))[0]
    )
    assert after.environment(api) == before | {"BUOY_LOG_LEVEL": "debug"}
    assert list(refusals(rendering("dev"), after)) == []
