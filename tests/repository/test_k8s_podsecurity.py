"""The namespace demands Pod Security "restricted", and every pod passes it."""

from collections.abc import Iterator

import pytest

from tests.repository.kustomize import RENDERINGS, rendering
from tests.repository.manifests import Manifests, Mistake, Path, label, template
from tests.repository.podsecurity import violations

POD = ("spec", "template", "spec")
CONTAINER = (*POD, "containers", 0)
CONTEXT = (*CONTAINER, "securityContext")
NAMESPACE = ("metadata", "labels", "pod-security.kubernetes.io/enforce")

MISTAKES: dict[str, tuple[Path, object]] = {
    "host-network": ((*POD, "hostNetwork"), True),
    "host-processes": ((*POD, "hostPID"), True),
    "host-ipc": ((*POD, "hostIPC"), True),
    "host-port": ((*CONTAINER, "ports", 0, "hostPort"), 80),
    "host-path": ((*POD, "volumes", 0, "hostPath"), {"path": "/"}),
    "nfs": ((*POD, "volumes", 0, "nfs"), {"server": "x", "path": "/"}),
    "root-allowed": ((*POD, "securityContext", "runAsNonRoot"), False),
    "root-allowed-in-a-container": ((*CONTEXT, "runAsNonRoot"), False),
    "root": ((*POD, "securityContext", "runAsUser"), 0),
    "root-in-a-container": ((*CONTEXT, "runAsUser"), 0),
    "no-seccomp": ((*POD, "securityContext", "seccompProfile", "type"), "Unconfined"),
    "no-seccomp-in-a-container": ((*CONTEXT, "seccompProfile"), {"type": "Unconfined"}),
    "app-armor": ((*CONTEXT, "appArmorProfile"), {"type": "Unconfined"}),
    "se-linux": ((*CONTEXT, "seLinuxOptions"), {"type": "spc_t"}),
    "se-linux-user": ((*POD, "securityContext", "seLinuxOptions"), {"user": "system_u"}),
    "windows-host": (
        (*POD, "securityContext", "windowsOptions"),
        {"hostProcess": True},
    ),
    "sysctl": (
        (*POD, "securityContext", "sysctls"),
        [{"name": "net.core.somaxconn", "value": "1"}],
    ),
    "privileged": ((*CONTEXT, "privileged"), True),
    "escalation": ((*CONTEXT, "allowPrivilegeEscalation"), True),
    "proc-mount": ((*CONTEXT, "procMount"), "Unmasked"),
    "capability": ((*CONTEXT, "capabilities", "add"), ["NET_ADMIN"]),
    "capabilities-in-small-letters": ((*CONTEXT, "capabilities", "drop"), ["all"]),
    "probe-of-another-host": ((*CONTAINER, "livenessProbe", "httpGet", "host"), "10.0.0.1"),
    "hook-to-another-host": (
        (*CONTAINER, "lifecycle"),
        {"preStop": {"tcpSocket": {"host": "10.0.0.1", "port": 1}}},
    ),
    "first-container": ((*POD, "initContainers"), [{"name": "x", "image": "x"}]),
}
ABSENT: dict[str, Path] = {
    "pod-context": (*POD, "securityContext"),
    "container-context": CONTEXT,
    "non-root": (*POD, "securityContext", "runAsNonRoot"),
    "seccomp": (*POD, "securityContext", "seccompProfile"),
    "escalation": (*CONTEXT, "allowPrivilegeEscalation"),
    "capabilities": (*CONTEXT, "capabilities"),
}


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield what the admission of a restricted namespace refuses, and a namespace that is not."""
    for namespace in manifests.of("Namespace"):
        for mode in ("enforce", "audit", "warn"):
            key = f"pod-security.kubernetes.io/{mode}"
            if namespace["metadata"]["labels"].get(key) != "restricted":
                yield f"{label(namespace)}: {mode} is not restricted"
    for workload in manifests.workloads():
        yield from (f"{label(workload)}: {each}" for each in violations(template(workload)["spec"]))


@pytest.mark.parametrize("name", RENDERINGS)
def test_every_pod_is_let_into_a_restricted_namespace(name: str) -> None:
    """The namespace enforces the standard, and no workload fails on it."""
    assert list(problems(rendering(name))) == []


@pytest.mark.parametrize("path, value", MISTAKES.values(), ids=MISTAKES)
def test_what_the_standard_forbids_is_noticed(path: Path, value: object) -> None:
    """Each rule, broken in one pod."""
    mistake = Mistake("Deployment", "bellbuoy-echo", path, value)
    assert list(problems(rendering("dev").with_mistake(mistake))) != []


@pytest.mark.parametrize("path", ABSENT.values(), ids=ABSENT)
@pytest.mark.parametrize(
    "kind, name",
    [
        ("Deployment", "bellbuoy-api"),
        ("StatefulSet", "bellbuoy-postgres"),
        ("Job", "bellbuoy-migrate"),
    ],
)
def test_what_the_standard_demands_is_missed(kind: str, name: str, path: Path) -> None:
    """Each demand, not met, in each kind of workload."""
    assert list(problems(rendering("dev").with_mistake(Mistake(kind, name, path)))) != []


@pytest.mark.parametrize("value", ["baseline", "privileged"])
def test_a_weaker_namespace_is_noticed(value: str) -> None:
    """The labels on the namespace are what makes the API server enforce anything."""
    mistake = Mistake("Namespace", "bellbuoy", NAMESPACE, value)
    assert list(problems(rendering("dev").with_mistake(mistake))) != []
