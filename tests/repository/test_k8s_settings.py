"""What the containers are told in their environment is what their programs understand."""

from collections.abc import Iterator, Sequence
from pathlib import Path as File

import pytest

from api.settings import ApiSettings
from bellbuoy.database import DatabaseSettings
from bellbuoy.errors import SettingsError
from bellbuoy.settings import Settings, load, variable
from echo.settings import EchoSettings
from tests.repository.kustomize import RENDERINGS, rendering
from tests.repository.manifests import Manifests, Mistake, containers, label
from tests.repository.test_documents import known_variables
from tests.repository.tree import ROOT

PROGRAMS: dict[str, Sequence[type[Settings]]] = {
    "echo": [EchoSettings],
    "api": [ApiSettings],
    "migrate": [DatabaseSettings],
}
"""By container: the settings classes that its command loads."""

CONTAINER = ("spec", "template", "spec", "containers", 0)
MISTAKES = {
    "misspelt": Mistake("ConfigMap", "bellbuoy-echo", ("data", "BUOY_WORKER"), "1"),
    "of-no-program": Mistake("ConfigMap", "bellbuoy-kubernetes", ("data", "BUOY_X"), "1"),
    "out-of-bounds": Mistake(
        "ConfigMap", "bellbuoy-kubernetes", ("data", "BUOY_DRAIN_DELAY_SECONDS"), "-1"
    ),
    "required-and-absent": Mistake("ConfigMap", "bellbuoy-api", ("data", "BUOY_API_TOKENS_FILE")),
    "a-worker-for-each-cpu": Mistake("ConfigMap", "bellbuoy-echo", ("data", "BUOY_WORKERS"), "0"),
    "on-loopback": Mistake("ConfigMap", "bellbuoy-echo", ("data", "BUOY_HOST"), "127.0.0.1"),
    "admin-on-loopback": Mistake("ConfigMap", "bellbuoy-echo", ("data", "BUOY_ADMIN_HOST")),
    "owner-that-serves": Mistake(
        "Deployment",
        "bellbuoy-api",
        (*CONTAINER, "env"),
        [{"name": "BUOY_DB_USER", "value": "bellbuoy_owner"}],
    ),
    "server-that-migrates": Mistake(
        "Job", "bellbuoy-migrate", (*CONTAINER, "env", 0, "value"), "bellbuoy_app"
    ),
    "migration-that-serves": Mistake("Job", "bellbuoy-migrate", (*CONTAINER, "args")),
}


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield variables that no program knows, values that one refuses, and roles mixed up."""
    known = known_variables()
    for workload in manifests.workloads():
        for container in containers(workload):
            variables = manifests.environment(container)
            for name in variables:
                if name.startswith("BUOY_") and name not in known:
                    yield f"{label(workload)}: {name} is no setting"
            yield from (
                f"{label(workload)}: {each}" for each in _read(container["name"], variables)
            )
            if (container.get("args") == ["migrate"]) != (workload["kind"] == "Job"):
                yield f"{label(workload)}: its command is {container.get('args')}"


def _read(program: str, variables: dict[str, str]) -> Iterator[str]:
    for cls in PROGRAMS.get(program, ()):
        try:
            found = load(cls, variables)
        except SettingsError as error:
            yield str(error)
            continue
        for name, expected in _expected(program).items():
            if getattr(found, name, expected) != expected:
                yield f"{variable(name)} is {getattr(found, name)}, not {expected}"


def _expected(program: str) -> dict[str, object]:
    role = "bellbuoy_owner" if program == "migrate" else "bellbuoy_app"
    return {"host": "0.0.0.0", "admin_host": "0.0.0.0", "workers": 1, "db_user": role}  # noqa: S104


@pytest.mark.parametrize("name", RENDERINGS)
def test_every_container_is_told_what_its_program_understands(name: str) -> None:
    """The programs' own settings classes read the rendered environment."""
    assert list(problems(rendering(name))) == []


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_variable_that_is_wrong_is_noticed(mistake: Mistake) -> None:
    """Names, values, and who logs in as whom."""
    assert list(problems(rendering("dev").with_mistake(mistake))) != []


def test_kubernetes_repeats_nothing_of_the_shared_settings() -> None:
    """Its own file holds only what compose does not set."""
    own = _keys("k8s/base/kubernetes.env")
    shared = _keys("deploy/config/echo.env") | _keys("deploy/config/api.env")
    assert own
    assert own & shared == set()


def _keys(name: str) -> set[str]:
    lines = File(ROOT, name).read_text().splitlines()
    return {line.split("=")[0] for line in lines if not line.startswith("#")}
