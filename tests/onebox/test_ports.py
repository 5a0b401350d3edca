"""Ports: taken ones are explained before anything starts."""

import os
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bellbuoy.errors import EnvironmentFault
from onebox import ports
from onebox.settings import OneboxSettings

ANY = OneboxSettings(echo_port=0, echo_admin_port=0, api_port=0, api_admin_port=0)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that a process (this one) listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_port_zero_becomes_a_free_one() -> None:
    """Four different ones."""
    found = [endpoint.port for endpoint in ports.endpoints(ports.claim(ANY, patience=0.0))]
    assert len(set(found)) == 4
    assert all(found)


def test_a_number_stays(taken: int) -> None:
    """And nothing is listened on: the services do that."""
    [port] = ports.free("127.0.0.1")
    assert port != taken
    assert ports.claim(replace(ANY, api_port=port), patience=0.0).api_port == port
    socket.create_server(("127.0.0.1", port)).close()


def test_a_taken_port_says_which_and_how_to_change_it(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And who has it: seen from another process, that is us."""
    us = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: 0)
    with pytest.raises(EnvironmentFault) as fault:
        ports.claim(replace(ANY, echo_port=taken), patience=0.0)
    start = f"port {taken} (BUOY_ECHO_PORT) on 127.0.0.1 is in use by process {us} ("
    assert str(fault.value).startswith(start)
    assert str(fault.value).endswith("Choose another: BUOY_ECHO_PORT=<port>")


def test_all_taken_ports_are_said_at_once(taken: int) -> None:
    """Nobody fixes them one run at a time."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings = replace(ANY, api_port=taken, api_admin_port=other.getsockname()[1])
        with pytest.raises(EnvironmentFault, match=r"BUOY_API_PORT(.|\n)*BUOY_API_ADMIN_PORT"):
            ports.claim(settings, patience=0.0)


def test_a_port_that_is_given_back_in_time_is_had(taken: int) -> None:
    """As after a kill -9, when the services of that run drain."""
    looks: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings = replace(ANY, echo_port=listener.getsockname()[1])

        def watch() -> None:
            looks.append(taken)
            if len(looks) == 3:
                listener.close()

        ports.claim(settings, patience=30.0, watch=watch)
    assert len(looks) == 3


def test_one_port_for_two_things_is_explained() -> None:
    """Before the kernel says something less clear."""
    with pytest.raises(
        EnvironmentFault, match="BUOY_ECHO_PORT and BUOY_API_PORT are the same, 20001"
    ):
        ports.claim(replace(ANY, echo_port=20_001, api_port=20_001), patience=0.0)


def test_an_address_of_another_machine_is_explained() -> None:
    """192.0.2.1 is reserved for documentation."""
    with pytest.raises(EnvironmentFault, match=r"^BUOY_HOST=192.0.2.1 is no address of this"):
        ports.claim(replace(ANY, host="192.0.2.1"), patience=0.0)


def test_a_name_that_is_none_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the variable it came from."""
    resolve = socket.getaddrinfo

    def fail(host: str, *args: int, **kwargs: int) -> object:
        if host == "nowhere":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(EnvironmentFault, match=r"^BUOY_ADMIN_HOST=nowhere is no address: Name or"):
        ports.claim(replace(ANY, admin_host="nowhere"), patience=0.0)


def test_every_address_can_be_asked_for() -> None:
    """IPv6 and the wildcard."""
    for host in ("0.0.0.0", "::1"):  # noqa: S104  # a moment
        assert len(ports.free(host, 2)) == 2
