"""The rules of Kubernetes' Pod Security Standard "restricted", which contains "baseline".

Law of this file: what the API server's own admission refuses, and nothing else. Source:
kubernetes.io/docs/concepts/security/pod-security-standards.
"""

from collections.abc import Iterator
from typing import Any

Spec = dict[str, Any]

VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
SECCOMP = {"RuntimeDefault", "Localhost"}
APPARMOR = {"RuntimeDefault", "Localhost", None}
SELINUX = {None, "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
}
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
HOOKS = ("postStart", "preStop")
HANDLERS = ("httpGet", "tcpSocket")


def violations(spec: Spec) -> Iterator[str]:
    """Yield each rule that the spec of a pod breaks."""
    pod = spec.get("securityContext", {})
    yield from _namespaces(spec)
    yield from _volumes(spec)
    yield from _context("pod", pod)
    for sysctl in pod.get("sysctls", ()):
        if sysctl["name"] not in SYSCTLS:
            yield f"pod: sysctl {sysctl['name']}"
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(kind, ()):
            yield from _container(container, pod)


def _namespaces(spec: Spec) -> Iterator[str]:
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(key):
            yield f"pod: {key}"


def _volumes(spec: Spec) -> Iterator[str]:
    for volume in spec.get("volumes", ()):
        for kind in volume.keys() - {"name"} - VOLUMES:
            yield f"volume {volume['name']}: {kind}"


def _container(container: Spec, pod: Spec) -> Iterator[str]:
    name = container["name"]
    own = container.get("securityContext", {})
    yield from _context(name, own)
    if own.get("privileged"):
        yield f"{name}: privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield f"{name}: allowPrivilegeEscalation is not false"
    if own.get("procMount", "Default") != "Default":
        yield f"{name}: procMount"
    if own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield f"{name}: runAsNonRoot is not true"
    if own.get("seccompProfile", pod.get("seccompProfile", {})).get("type") not in SECCOMP:
        yield f"{name}: no seccomp profile"
    yield from _capabilities(name, own.get("capabilities", {}))
    yield from _hosts(container)


def _context(name: str, context: Spec) -> Iterator[str]:
    """Check what a pod and a container may both set."""
    if context.get("runAsUser") == 0:
        yield f"{name}: runAsUser 0"
    if context.get("runAsNonRoot") is False:
        yield f"{name}: runAsNonRoot false"
    if "seccompProfile" in context and context["seccompProfile"].get("type") not in SECCOMP:
        yield f"{name}: seccomp {context['seccompProfile'].get('type')}"
    if context.get("appArmorProfile", {}).get("type") not in APPARMOR:
        yield f"{name}: AppArmor {context['appArmorProfile']['type']}"
    linux = context.get("seLinuxOptions", {})
    if linux.get("type") not in SELINUX or linux.get("user") or linux.get("role"):
        yield f"{name}: seLinuxOptions"
    if context.get("windowsOptions", {}).get("hostProcess"):
        yield f"{name}: hostProcess"


def _capabilities(name: str, capabilities: Spec) -> Iterator[str]:
    if "ALL" not in capabilities.get("drop", ()):
        yield f"{name}: capabilities are not dropped"
    for added in capabilities.get("add", ()):
        if added != "NET_BIND_SERVICE":
            yield f"{name}: capability {added}"


def _hosts(container: Spec) -> Iterator[str]:
    """Check what reaches the host's network: ports on it, and probes sent elsewhere."""
    for port in container.get("ports", ()):
        if port.get("hostPort"):
            yield f"{container['name']}: hostPort {port['hostPort']}"
    actions = [container.get(probe, {}) for probe in PROBES]
    actions += [container.get("lifecycle", {}).get(hook, {}) for hook in HOOKS]
    for action in actions:
        if any(action.get(handler, {}).get("host") for handler in HANDLERS):
            yield f"{container['name']}: a probe or hook names a host"
