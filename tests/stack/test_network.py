"""Which port is open to whom."""

import json

import pytest

from tests.stack.stack import BACK, FRONT, Stack, docker, inspect

PROBE = """
import json, socket
def is_open(address):
    try:
        socket.create_connection(address, timeout=1).close()
    except OSError:
        return False
    return True
print(json.dumps([is_open(address) for address in ADDRESSES]))
"""

PUBLISHED = {
    "echo": {"8888/tcp", "9888/tcp"},
    "api": {"8080/tcp", "9080/tcp"},
    "postgres": set(),
    "prometheus": {"9090/tcp"},
}


def seen_from(stack: Stack, network: str, *addresses: tuple[str, int]) -> list[bool]:
    """Return which addresses accept a connection from a container on a network."""
    program = PROBE.replace("ADDRESSES", repr(addresses))
    return list(json.loads(stack.neighbour(network, program)))


def address(stack: Stack, service: str, network: str) -> str:
    """Return a container's address on a network."""
    networks = inspect(stack.container(service))["NetworkSettings"]["Networks"]
    return str(networks[network]["IPAddress"])


def test_a_neighbour_is_served_over_tcp_and_http(stack: Stack) -> None:
    """By name, as a client in the same compose project would."""
    program = """
import socket, urllib.request
with socket.create_connection(("echo", 8888), timeout=5) as connection:
    connection.sendall(b"ahoy")
    connection.shutdown(socket.SHUT_WR)
    print(connection.makefile().read())
print(urllib.request.urlopen("http://api:8080/Grace", timeout=5).read().decode())
"""
    assert stack.neighbour(FRONT, program).split("\n") == ["ahoy", "Hello, Grace!"]


def test_the_front_reaches_the_services_and_not_the_database(stack: Stack) -> None:
    """Neither by name nor by address."""
    postgres = address(stack, "postgres", BACK)
    seen = seen_from(
        stack, FRONT, ("echo", 8888), ("api", 8080), ("postgres", 5432), (postgres, 5432)
    )
    assert seen == [True, True, False, False]


def test_the_back_reaches_the_database_and_has_no_way_out(stack: Stack) -> None:
    """Neither to echo nor, as Docker confirms, through this machine."""
    echo = address(stack, "echo", FRONT)
    assert seen_from(stack, BACK, ("postgres", 5432), (echo, 8888)) == [True, False]
    assert json.loads(docker("network", "inspect", BACK))[0]["Internal"] is True


@pytest.mark.parametrize("service", PUBLISHED)
def test_what_is_published_is_published_on_loopback(stack: Stack, service: str) -> None:
    """Another machine reaches nothing, unless the user asks for it."""
    published = inspect(stack.container(service))["NetworkSettings"]["Ports"]
    bound = {port: {one["HostIp"] for one in hosts} for port, hosts in published.items() if hosts}
    assert bound == {port: {"127.0.0.1"} for port in PUBLISHED[service]}


def test_nothing_published_is_open_to_a_neighbour_of_this_machine(stack: Stack) -> None:
    """Seen from a container, this machine's address behaves as from the network outside."""
    gateway = json.loads(docker("network", "inspect", FRONT))[0]["IPAM"]["Config"][0]["Gateway"]
    ports = [int(stack.environ[name]) for name in stack.environ if name.endswith("_PORT")]
    assert seen_from(stack, FRONT, *((gateway, port) for port in ports)) == [False] * len(ports)


def test_publishing_to_everybody_leaves_the_admin_ports_on_loopback(stack: Stack) -> None:
    """PUBLISH_ADDRESS is about client traffic."""
    environ = {**stack.environ, "PUBLISH_ADDRESS": "0.0.0.0"}  # noqa: S104 - written, not bound
    config = json.loads(
        Stack(environ).compose("--profile", "observability", "config", "--format", "json")
    )
    public = {
        port["target"]
        for service in config["services"].values()
        for port in service.get("ports", ())
        if port["host_ip"] != "127.0.0.1"
    }
    assert public == {8888, 8080}
