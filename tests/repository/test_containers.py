"""What can be said of images and compose without Docker; tests/stack tests the real thing.

Law of this file: a value that has to stand in several places is held together by a test here.
"""

import os
import re
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

import bellbuoy
from api.settings import ApiSettings
from bellbuoy import timeouts, tokens
from bellbuoy.cli.token import SCOPES
from bellbuoy.database.settings import DatabaseSettings
from bellbuoy.host.acceptor import RESERVED_DESCRIPTORS
from bellbuoy.settings import ApiPorts, EchoPorts, HostSettings, Settings, load, variable
from bellbuoy.tokens import Tokens
from bellbuoy.tokenwatch import TokenWatch
from echo.settings import EchoSettings
from onebox import announcement
from onebox.datadir import DataDirectory
from onebox.settings import OneboxSettings
from tests.repository.tree import ROOT, text

SERVICES: dict[str, Any] = yaml.safe_load(text(Path("docker-compose.yml")))["services"]
DOCKERFILE = text(Path("deploy/Dockerfile"))
BAKE = text(Path("deploy/docker-bake.hcl"))
OURS = ("echo", "api")
PORTS = {
    "echo": (EchoPorts().echo_port, EchoPorts().echo_admin_port),
    "api": (ApiPorts().api_port, ApiPorts().api_admin_port),
}
SETTINGS: dict[str, tuple[type[Settings], ...]] = {
    "echo": (EchoSettings,),
    "api": (ApiSettings, DatabaseSettings),
}
LINE = re.compile(r"BUOY_[A-Z0-9_]+=[^\"'$#\s\\]*")


def environment(service: str) -> dict[str, str]:
    """Return what a service's env file sets."""
    lines = text(Path(f"deploy/config/{service}.env")).splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


@pytest.mark.parametrize("service", OURS)
def test_env_files_mean_the_same_to_compose_and_to_kustomize(service: str) -> None:
    """Their grammars differ in quotes, inline comments, bare names and dollar signs."""
    lines = text(Path(f"deploy/config/{service}.env")).splitlines()
    assert [line for line in lines if not line.startswith("#") and not LINE.fullmatch(line)] == []


@pytest.mark.parametrize("line", ["A=1", "BUOY_A", "BUOY_A='1'", "BUOY_A=1 # one", "BUOY_A=$B"])
def test_the_grammar_of_env_files_is_narrow(line: str) -> None:
    """What one of them reads differently is refused."""
    assert not LINE.fullmatch(line)


@pytest.mark.parametrize("service", OURS)
def test_env_files_set_what_exists_and_differs(service: str) -> None:
    """A renamed setting is noticed, and no default is written down again."""
    environ = environment(service)
    known: dict[str, object] = {}
    for cls in SETTINGS[service]:
        loaded = load(cls, environ)
        for field in fields(cls):
            known[variable(field.name)] = field.default
            assert variable(field.name) not in environ or getattr(loaded, field.name) != (
                field.default
            ), field.name
    assert environ.keys() <= known.keys()


@pytest.mark.parametrize("service", OURS)
def test_ports_are_the_settings_defaults_everywhere(service: str) -> None:
    """In the image, its health check, compose's health check, and what compose publishes."""
    public, admin = PORTS[service]
    name = variable(f"{service}_admin_port")
    assert f"EXPOSE {public} {admin}\n" in DOCKERFILE
    assert f'"{name}", "{admin}"]\n' in DOCKERFILE
    assert SERVICES[service]["healthcheck"]["test"][-3:-1] == [name, str(admin)]
    published = [str(port).rpartition(":") for port in SERVICES[service]["ports"]]
    assert [(outside[-6:], inside) for outside, _, inside in published] == [
        (f"-{port}}}", str(port)) for port in (public, admin)
    ]


def test_prometheus_scrapes_the_admin_ports() -> None:
    """By the names of the services in compose."""
    jobs = yaml.safe_load(text(Path("deploy/prometheus/prometheus.yml")))["scrape_configs"]
    found = {job["job_name"]: job.get("dns_sd_configs", [{}])[0] for job in jobs}
    for service in OURS:
        assert found[service]["names"] == [service]
        assert found[service]["port"] == PORTS[service][1]


def test_dashboards_find_the_data_source_that_is_provisioned() -> None:
    """They take whatever Prometheus is the default, see test_dashboards.py."""
    folder = Path("deploy/grafana")
    sources = yaml.safe_load(text(folder / "provisioning/datasources/prometheus.yml"))
    (source,) = sources["datasources"]
    assert source["isDefault"]
    assert source["type"] == "prometheus"


def test_a_version_is_written_once_more_only_where_this_test_looks() -> None:
    """The images' labels and tags carry the version of the distribution; the base is the same."""
    assert f"ARG VERSION={bellbuoy.__version__}\n" in DOCKERFILE
    assert f'variable "VERSION" {{ default = "{bellbuoy.__version__}" }}' in BAKE
    (base,) = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert f'variable "PYTHON_IMAGE" {{ default = "{base}" }}' in BAKE


@pytest.mark.parametrize("service", OURS)
def test_a_container_may_drain_before_it_is_killed(service: str) -> None:
    """The grace period is the one that the arithmetic of timeouts ends with."""
    assert SERVICES[service]["stop_grace_period"] == f"{timeouts.CONTAINER_STOP:.0f}s"


@pytest.mark.parametrize("service", OURS)
def test_a_worker_may_open_the_connections_it_takes(service: str) -> None:
    """Else the limit of connections would silently be a lower one; 15,000 can be had as well."""
    most = max(HostSettings().max_connections, 15_000)
    assert SERVICES[service]["ulimits"]["nofile"] >= most + RESERVED_DESCRIPTORS


@pytest.mark.parametrize("path", ["secrets/app.password", ".env"])
def test_git_ignores_what_make_secrets_writes(path: str) -> None:
    """A secret is never committed by accident."""
    lines = text(Path(".gitignore")).splitlines()
    assert {f"/{path}", f"/{path.partition('/')[0]}/"} & set(lines)


def test_make_secrets_makes_a_token_that_the_api_knows(tmp_path: Path) -> None:
    """By its hash; what is there already stays, a token from before there were hashes included."""
    (tmp_path / "api.token").write_text("a token from before\n")
    known = tmp_path / "api" / "api.tokens"
    environ = {**os.environ, "SECRETS_DIR": str(tmp_path)}
    for _ in range(2):
        subprocess.run(["deploy/secrets"], cwd=ROOT, env=environ, check=True)
        found = TokenWatch("X", known).find("a token from before")
        assert found is not None
        assert (found.name, found.scopes) == ("dev", SCOPES)
        known.touch()
    assert "from before" not in known.read_text()
    (tmp_path / "api.token").unlink()
    known.unlink()
    subprocess.run(["deploy/secrets"], cwd=ROOT, env=environ, check=True)
    made = (tmp_path / "api.token").read_text()
    assert len(made) == 64
    assert TokenWatch("X", known).find(made)


def test_the_container_s_user_may_read_the_tokens_and_nothing_beside_them(tmp_path: Path) -> None:
    """Whatever the umask: the folder that it sees is open, the one around it is not."""
    environ = {**os.environ, "SECRETS_DIR": str(tmp_path / "made")}
    command = ["sh", "-c", "umask 077; deploy/secrets"]
    subprocess.run(command, cwd=ROOT, env=environ, check=True)
    folder = tmp_path / "made" / "api"
    modes = [path.stat().st_mode & 0o777 for path in (folder.parent, folder, folder / "api.tokens")]
    assert modes == [0o700, 0o755, 0o444]
    assert [path.name for path in folder.iterdir()] == ["api.tokens"]


def test_make_secrets_moves_the_tokens_into_their_folder(tmp_path: Path) -> None:
    """Those that lie where they were before are kept, or every client would be locked out."""
    with tokens.editing(tmp_path / "api.tokens"):
        known = Tokens((tokens.issue("alice", "hers", SCOPES),))
        tokens.write(tmp_path / "api.tokens", known)
    environ = {**os.environ, "SECRETS_DIR": str(tmp_path)}
    subprocess.run(["deploy/secrets"], cwd=ROOT, env=environ, check=True)
    found = TokenWatch("X", tmp_path / "api" / "api.tokens").find("hers")
    assert found is not None
    assert not (tmp_path / "api.tokens").exists()


def test_make_up_prints_what_make_run_prints(tmp_path: Path) -> None:
    """The same words and commands; only how to end it and where the data lies differ."""
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(
        "#!/bin/sh\n"
        'case "$3" in echo | api) echo "0.0.0.0:$4" ;; *) exit 1 ;; esac # docker compose port\n'
    )
    docker.chmod(0o755)
    folder = tmp_path / "a folder"
    path = f"{docker.parent}{os.pathsep}{os.environ['PATH']}"
    environ = {"PATH": path, "SECRETS_DIR": str(folder)}
    up = subprocess.run(
        ["deploy/ready"], cwd=ROOT, env=environ, capture_output=True, text=True, check=True
    ).stdout
    run = announcement.compose(OneboxSettings(), DataDirectory(folder, was_abandoned=False), ROOT)
    assert different(up, run) == [
        ("Bellbuoy is ready. `make down` ends it.", "Bellbuoy is ready. Ctrl-C ends it."),
        ("  data     the volume bellbuoy_postgres", f"  data     {folder}"),
    ]


def different(up: str, run: str) -> list[tuple[str, str]]:
    """Return the pairs of lines that differ, but for the names of the token's file."""
    both = (up.rstrip(), run.rstrip().replace("dev.token", "api.token"))
    pairs = zip(*(lines.splitlines() for lines in both), strict=True)
    return [(ours, theirs) for ours, theirs in pairs if ours != theirs]
