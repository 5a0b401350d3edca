"""Loss of power: what docker-compose.yml and k8s/ start keeps what PostgreSQL does against it.

Law of this file: the three settings are on unless somebody names them, so nobody does.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.repository.kustomize import RENDERINGS, changed, rendering
from tests.repository.manifests import Mistake
from tests.repository.tree import text

COMPOSE: dict[str, Any] = yaml.safe_load(text(Path("docker-compose.yml")))

NAMED = re.compile(r"fsync|synchronous_commit|full_page_writes|(?<=[\" ])-F\b")
"""The settings, and what `postgres` calls fsync=off on its command line."""

POSTGRES = ("StatefulSet", "bellbuoy-postgres")
CONTAINER = ("spec", "template", "spec", "containers", 0)
MISTAKES = {
    "argument": Mistake(*POSTGRES, (*CONTAINER, "args", 1), "full_page_writes=off"),
    "flag": Mistake(*POSTGRES, (*CONTAINER, "args", 0), "-F"),
    "cluster": Mistake(
        *POSTGRES, (*CONTAINER, "env", 1, "value"), "--data-checksums --set fsync=off"
    ),
}


def named(configuration: object) -> list[str]:
    """Return every place where a configuration names one of the settings."""
    return NAMED.findall(json.dumps(configuration, default=str))


@pytest.mark.parametrize("name", RENDERINGS)
def test_no_manifest_takes_durability_from_postgresql(name: str) -> None:
    """Neither the server's arguments, nor initdb's, nor the roles: their SQL is rendered, too."""
    assert named(rendering(name).objects) == []


def test_compose_takes_no_durability_from_postgresql() -> None:
    """It mounts the SQL that the manifests render."""
    assert named(COMPOSE) == []


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_manifest_that_takes_it_is_noticed(mistake: Mistake) -> None:
    """Whichever way it says so."""
    assert len(named(rendering("dev").with_mistake(mistake).objects)) == 1


def test_a_role_that_does_not_wait_for_the_disk_is_noticed() -> None:
    """It would be told of commits that a loss of power undoes."""
    change = "ALTER ROLE bellbuoy_app SET synchronous_commit = off;"
    assert len(named(changed("dev", ("deploy/postgres/roles.sql", "", change)).objects)) == 1


@pytest.mark.parametrize("command", ["postgres -F", ["postgres", "-c", "fsync=off"]])
def test_a_compose_file_that_takes_it_is_noticed(command: str | list[str]) -> None:
    """A command is a text or a list."""
    assert len(named({**COMPOSE["services"]["postgres"], "command": command})) == 1
