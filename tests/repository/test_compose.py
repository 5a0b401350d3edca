"""The rules that keep every container of compose harmless, each shown to notice a mistake."""

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.repository.tree import text

Service = dict[str, Any]

COMPOSE: dict[str, Any] = yaml.safe_load(text(Path("docker-compose.yml")))
SERVICES: dict[str, Service] = COMPOSE["services"]

ON_LOOPBACK = re.compile(r"127\.0\.0\.1:")
CLIENT_TRAFFIC = re.compile(r"\$\{PUBLISH_ADDRESS:-127\.0\.0\.1\}:.*:(8888|8080)")
SECRET = re.compile(r"(PASSWORD|TOKEN)(?!_*FILE)")


def is_harmless(volume: str | dict[str, Any]) -> bool:
    """Return whether what is mounted is Docker's own, or the host's and read-only."""
    if isinstance(volume, str):
        return volume.endswith(":ro") or not volume.startswith((".", "/"))
    # A folder that is missing would be made, and be root's.
    is_made = volume.get("bind", {}).get("create_host_path", True)
    return volume["type"] == "bind" and volume.get("read_only", False) and not is_made


RULES: dict[str, Callable[[Service], object]] = {
    "its root is read-only": lambda service: service.get("read_only"),
    "it has no capability": lambda service: (
        service.get("cap_drop") == ["ALL"]
        and not service.get("cap_add")
        and not service.get("privileged")
    ),
    "it gets no privilege": lambda service: (
        "no-new-privileges:true" in service.get("security_opt", ())
    ),
    "it is not root": lambda service: re.fullmatch(r"[1-9]\d*:\d+", service.get("user", "")),
    "its orphans are reaped": lambda service: service.get("init"),
    "its memory is bounded": lambda service: service.get("mem_limit"),
    "its processes are bounded": lambda service: service.get("pids_limit"),
    "its logs are rotated": lambda service: (
        service.get("logging", {}).get("options", {}).keys() == {"max-size", "max-file"}
    ),
    "it has time to stop": lambda service: "stop_grace_period" in service,
    "its secrets are files": lambda service: (
        not any(map(SECRET.search, service.get("environment", ())))
    ),
    "it changes nothing of the host": lambda service: all(
        map(is_harmless, service.get("volumes", ()))
    ),
    "it publishes client traffic only": lambda service: all(
        ON_LOOPBACK.match(port) or CLIENT_TRAFFIC.fullmatch(port)
        for port in map(str, service.get("ports", ()))
    ),
    # start_interval wants Docker 25, `required` Compose 2.20.
    "old versions read it": lambda service: (
        "start_interval" not in service.get("healthcheck", {})
        and "required" not in str(service.get("depends_on", ""))
    ),
}

MISTAKES: list[tuple[str, Service]] = [
    ("its root is read-only", {"read_only": False}),
    ("it has no capability", {"cap_drop": ["NET_RAW"]}),
    ("it has no capability", {"cap_add": ["SYS_ADMIN"]}),
    ("it has no capability", {"privileged": True}),
    ("it gets no privilege", {"security_opt": []}),
    ("it is not root", {"user": "0:0"}),
    ("it is not root", {"user": "nobody"}),
    ("its orphans are reaped", {"init": False}),
    ("its memory is bounded", {"mem_limit": 0}),
    ("its processes are bounded", {"pids_limit": 0}),
    ("its logs are rotated", {"logging": {"driver": "json-file"}}),
    ("it has time to stop", {"stop_grace_period": ...}),
    ("its secrets are files", {"environment": {"POSTGRES_PASSWORD": "postgres"}}),
    ("it changes nothing of the host", {"volumes": ["./deploy:/etc/deploy"]}),
    (
        "it changes nothing of the host",
        {"volumes": [{"type": "bind", "bind": {"create_host_path": False}}]},
    ),
    ("it changes nothing of the host", {"volumes": [{"type": "bind", "read_only": True}]}),
    ("it publishes client traffic only", {"ports": ["9888:9888"]}),
    ("it publishes client traffic only", {"ports": ["${PUBLISH_ADDRESS:-127.0.0.1}:1:9888"]}),
    ("old versions read it", {"healthcheck": {"start_interval": "1s"}}),
    ("old versions read it", {"depends_on": {"migrate": {"required": False}}}),
]


def broken(service: Service) -> list[str]:
    """Return the rules that a service breaks."""
    return [rule for rule, holds in RULES.items() if not holds(service)]


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_keeps_the_rules(name: str) -> None:
    """In every profile, whoever made the image."""
    assert broken(SERVICES[name]) == []


@pytest.mark.parametrize("rule, mistake", MISTAKES)
def test_a_rule_notices_its_mistake(rule: str, mistake: Service) -> None:
    """A rule that cannot fail keeps nothing out."""
    service = copy.deepcopy(SERVICES["echo"]) | mistake
    assert broken({key: value for key, value in service.items() if value is not ...}) == [rule]


def test_every_rule_has_a_mistake() -> None:
    """None goes without the test above."""
    assert {rule for rule, _ in MISTAKES} == RULES.keys()


def test_the_database_is_on_the_inner_network_only() -> None:
    """It publishes nothing, and echo, which does not need it, cannot reach it."""
    assert COMPOSE["networks"]["back"] == {"internal": True}
    members = {name for name, service in SERVICES.items() if "back" in service["networks"]}
    assert members == {"api", "migrate", "postgres"}
    assert SERVICES["postgres"]["networks"] == ["back"]
    assert "ports" not in SERVICES["postgres"]


def test_a_secret_that_is_missing_says_what_makes_it() -> None:
    """Whichever of them compose looks for first."""
    said = "${SECRETS_DIR:?run 'make secrets' first}"
    assert [volume["source"] for volume in SERVICES["api"]["volumes"]] == [f"{said}/api"]
    files = {name: secret["file"] for name, secret in COMPOSE["secrets"].items()}
    ours = {name: file for name, file in files.items() if "SECRETS_DIR" in file}
    assert ours == {name: f"{said}/{name}" for name in ours}
    assert files.keys() - ours.keys() == {"ca", "pip_conf"}
