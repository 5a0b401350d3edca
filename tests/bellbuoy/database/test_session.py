"""How a connection is opened."""

import ast
import asyncio
import dataclasses
import re
import socket
import ssl
from pathlib import Path
from typing import cast

import pytest

from bellbuoy import timeouts
from bellbuoy.database.session import Session, connect_arguments, watch_peer
from bellbuoy.database.settings import DatabaseSettings
from bellbuoy.errors import SettingsError
from tests.bellbuoy.database.pools import nowhere
from tests.repository.tree import sources, text


def with_tls(folder: Path, sslmode: str, ca_file: Path | None) -> DatabaseSettings:
    """Return settings with TLS as given."""
    password = folder / "password"
    password.write_text("secret")
    return DatabaseSettings(
        db_password_file=password,
        db_sslmode=sslmode,  # type: ignore[arg-type]  # a test says what it wants
        db_ca_file=ca_file,
    )


def test_the_password_is_read_for_each_connection(tmp_path: Path) -> None:
    """A rotated secret needs no restart."""
    settings = nowhere(tmp_path)
    password = connect_arguments(settings, "test")["password"]
    assert password() == "secret"
    settings.db_password_file.write_text("rotated")
    assert password() == "rotated"


def test_a_missing_password_stops_the_program(tmp_path: Path) -> None:
    """When it starts, not at the first connection."""
    settings = DatabaseSettings(db_password_file=tmp_path / "absent")
    with pytest.raises(SettingsError, match="BUOY_DB_PASSWORD_FILE: cannot read"):
        connect_arguments(settings, "test")


def test_verify_full_checks_certificate_and_name(tmp_path: Path) -> None:
    """And takes no protocol older than TLS 1.2."""
    context = connect_arguments(with_tls(tmp_path, "verify-full", None), "test")["ssl"]
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    "sslmode, content, message",
    [
        ("verify-full", None, "cannot load"),
        ("verify-full", "not a certificate", "cannot load"),
        ("disable", "unused", "takes BUOY_DB_SSLMODE=verify-full"),
    ],
    ids=["absent", "broken", "without TLS"],
)
def test_certificates_that_cannot_be_used_stop_the_program(
    tmp_path: Path, sslmode: str, content: str | None, message: str
) -> None:
    """A certificate that would be ignored is a mistake as well."""
    file = tmp_path / "ca.pem"
    if content:
        file.write_text(content)
    with pytest.raises(SettingsError, match=message):
        connect_arguments(with_tls(tmp_path, sslmode, file), "test")


def test_nothing_is_left_to_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing is given, the driver reads PGSSLMODE and PGTARGETSESSIONATTRS."""
    monkeypatch.setenv("PGSSLMODE", "require")
    arguments = connect_arguments(nowhere(tmp_path), "test")
    assert arguments["ssl"] is False
    assert arguments["target_session_attrs"] == "read-write"


def test_every_wait_has_a_deadline(tmp_path: Path) -> None:
    """The driver waits a minute to connect and for ever for an answer."""
    arguments = connect_arguments(nowhere(tmp_path), "test")
    assert (arguments["timeout"], arguments["command_timeout"]) == (
        timeouts.CONNECT,
        timeouts.COMMAND,
    )


def test_no_statement_sets_what_outlives_it() -> None:
    """The contract that makes the reset needless; a job's own connection is exempt."""
    state = re.compile(
        r"^\s*(SET|LISTEN|DECLARE|PREPARE|LOAD)\s|\bset_config\b|pg_(try_)?advisory_lock\b|"
        r"\bTEMP(ORARY)?\s+TABLE\b"
    )
    own_connection = {"migrate.py"}
    statements = [
        (path.name, node.value)
        for path in sources(".py", under="services")
        if "onebox" not in path.parts and path.name not in own_connection
        for node in ast.walk(ast.parse(text(path)))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    assert [each for each in statements if state.search(each[1])] == []
    assert any("FROM users" in value for _, value in statements)


async def test_a_vanished_peer_is_noticed() -> None:
    """Keepalive finds it when idle, TCP_USER_TIMEOUT when something was sent."""
    listener = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with listener:
        transport, _ = await asyncio.get_running_loop().create_connection(
            asyncio.Protocol, *listener.sockets[0].getsockname()
        )
        watch_peer(transport)
        connection = transport.get_extra_info("socket")
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 15
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 20_000
        transport.abort()


def test_nothing_is_sent_when_a_session_changes_hands() -> None:
    """The driver would send RESET ALL and more."""
    assert Session.get_reset_query(cast("Session", None)) == ""


def test_behind_a_transaction_pooler_a_session_is_left_as_it_is(tmp_path: Path) -> None:
    """Nothing is prepared in it for later, and nothing is set at login."""
    settings = nowhere(tmp_path)
    pooled = connect_arguments(dataclasses.replace(settings, db_pooler="transaction"), "test")
    assert (pooled["statement_cache_size"], pooled["server_settings"]) == (0, {})
    alone = connect_arguments(settings, "test")
    assert "statement_cache_size" not in alone
    assert alone["server_settings"] == {"application_name": "test"}
