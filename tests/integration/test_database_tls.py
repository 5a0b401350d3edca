"""TLS to PostgreSQL: verified, or no connection at all. The rest of case 62."""

import asyncio
import dataclasses
import os
import shutil
import ssl
from pathlib import Path

import pytest
import trustme

from bellbuoy.database import DatabaseSettings
from tests.bellbuoy.database.pools import READ, opened, settings_for
from tests.integration.asking import answers, refusal, until
from tests.postgres import Server, own_postgres

__all__ = ["own_postgres"]


@dataclasses.dataclass(frozen=True)
class Encrypted:
    """A server that speaks TLS as 127.0.0.1, and who vouches for it."""

    server: Server
    ca_file: Path

    def settings(self, host: str = "127.0.0.1", ca_file: Path | None = None) -> DatabaseSettings:
        """Return the settings that lead there under verify-full."""
        database = self.server.database()
        return dataclasses.replace(
            settings_for(database, address=(host, database.port)),
            db_sslmode="verify-full",
            db_ca_file=ca_file or self.ca_file,
        )


@pytest.fixture
def encrypted(own_postgres: Server, tmp_path: Path) -> Encrypted:
    """The server with a certificate for 127.0.0.1 only."""
    ca = trustme.CA()
    ca_file = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(ca_file))
    certificate = ca.issue_cert("127.0.0.1")
    data = own_postgres.cluster.data
    (data / "server.key").touch(0o600)
    certificate.private_key_pem.write_to_path(str(data / "server.key"))
    (data / "server.crt").write_bytes(
        b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    )
    owner = data.stat()
    for name in ("server.key", "server.crt"):
        (data / name).chmod(0o600)
        if os.getuid() == 0:
            shutil.chown(data / name, owner.st_uid, owner.st_gid)
    own_postgres.psql("ALTER SYSTEM SET ssl = on")
    own_postgres.psql("SELECT pg_reload_conf()")
    return Encrypted(own_postgres, ca_file)


async def test_every_connection_is_encrypted(encrypted: Encrypted) -> None:
    """pg_stat_ssl says so of every session of the app, the watch's included."""
    async with opened(encrypted.settings(), schema=0) as target:
        await until(lambda: answers(target))
        await asyncio.gather(*(target.pool.fetch(READ, "SELECT 1") for _ in range(5)))
        rows = await target.pool.fetch(
            READ,
            "SELECT ssl, version FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
            "WHERE usename = 'bellbuoy_app'",
        )
    assert rows
    assert {(row["ssl"], row["version"]) for row in rows} <= {(True, "TLSv1.3"), (True, "TLSv1.2")}


@pytest.mark.parametrize("lie", ["authority", "name", "plain"])
async def test_who_cannot_be_verified_is_not_talked_to(
    encrypted: Encrypted, tmp_path: Path, lie: str
) -> None:
    """Another authority, another name, a server without TLS: no password is sent to any of them."""
    settings = encrypted.settings()
    if lie == "authority":
        other = tmp_path / "other.pem"
        trustme.CA().cert_pem.write_to_path(str(other))
        settings = encrypted.settings(ca_file=other)
    elif lie == "name":
        settings = encrypted.settings(host="localhost")
    else:
        encrypted.server.psql("ALTER SYSTEM SET ssl = off")
        encrypted.server.psql("SELECT pg_reload_conf()")
    async with opened(settings, schema=0) as target:
        await refusal(target.pool.fetch(READ, "SELECT 1"))
        assert target.measures().up.value == 0


def test_the_oldest_version_is_one_that_holds(encrypted: Encrypted) -> None:
    """PostgreSQL itself refuses less than TLS 1.2, and so does the app."""
    shown = encrypted.server.psql("SHOW ssl_min_protocol_version")
    assert ssl.TLSVersion[shown.replace(".", "_")] >= ssl.TLSVersion.TLSv1_2
