"""What a container may do: nothing that it does not need."""

import pytest

from tests.stack.stack import SERVICES, Stack, inspect

# What a container can write to, besides the kernel's own file systems.
ALL = {"/tmp", "/dev/shm"}  # noqa: S108 - mounts of a container
WRITABLE = {
    "echo": ALL,
    "api": ALL,
    "postgres": ALL | {"/run/postgresql", "/var/lib/postgresql/data"},
    "prometheus": ALL | {"/prometheus"},
}
KERNEL = ("/proc", "/sys", "/dev/pts", "/dev/mqueue")
ADMIN = {"echo": 9888, "api": 9080}


def statuses(stack: Stack, service: str) -> list[dict[str, str]]:
    """Return what the kernel says of each process in a container."""
    text = stack.exec(service, "cat /proc/[0-9]*/status")
    blocks = text.split("Name:\t")[1:]
    return [dict(line.split(":\t", 1) for line in block.splitlines()[1:]) for block in blocks]


@pytest.mark.parametrize("service", SERVICES)
def test_no_process_is_root_or_has_a_capability(stack: Stack, service: str) -> None:
    """Nor can any get one, and its system calls are filtered."""
    for status in statuses(stack, service):
        assert "0" not in status["Uid"].split()
        for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[capabilities], 16) == 0, capabilities
        assert status["NoNewPrivs"] == "1"
        assert status["Seccomp"] == "2"


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_is_writable_but_what_must_be(stack: Stack, service: str) -> None:
    """The root is not, and each mount that is has its reason."""
    mounts = [line.split() for line in stack.exec(service, "cat /proc/mounts").splitlines()]
    writable = {
        where
        for _, where, _, options, *_ in mounts
        if "rw" in options.split(",") and not where.startswith(KERNEL) and where != "/dev"
    }
    assert writable == WRITABLE[service]


@pytest.mark.parametrize("service", SERVICES)
def test_everything_a_container_takes_is_bounded(stack: Stack, service: str) -> None:
    """Memory, processes and logs; and orphans are reaped."""
    host = inspect(stack.container(service))["HostConfig"]
    assert 0 < host["Memory"] <= 1 << 30
    assert 0 < host["PidsLimit"] <= 256
    assert host["Init"] is True
    assert host["LogConfig"]["Config"].keys() >= {"max-size", "max-file"}
    assert host["RestartPolicy"]["Name"] == "unless-stopped"


@pytest.mark.parametrize("service", ADMIN)
def test_a_worker_gets_the_connections_it_takes(stack: Stack, service: str) -> None:
    """The limit of descriptors lies above the 10,000 connections of a worker."""
    assert int(stack.exec(service, "ulimit -n")) > 10_000
    _, metrics = stack.get(service, ADMIN[service], "/metrics")
    assert "bellbuoy_connections_limit 10000.0" in metrics


@pytest.mark.parametrize("service", [*SERVICES, "migrate"])
def test_no_secret_is_in_the_environment(stack: Stack, service: str) -> None:
    """Whoever may inspect a container learns where its secrets are, and none of them."""
    container = str(inspect(stack.container(service)))
    assert [value for value in stack.secrets() if value in container] == []


def test_a_container_gets_its_own_secrets_only(stack: Stack) -> None:
    """The api cannot read the owner's password, echo nothing of the database."""
    listing = "ls /run/secrets 2>/dev/null || true"
    assert stack.exec("echo", listing).split() == ["admin.token"]
    assert stack.exec("api", "ls /run/secrets/api/*.tokens") == "/run/secrets/api/api.tokens"
    assert stack.exec("api", listing).split() == ["admin.token", "api", "app.password"]
