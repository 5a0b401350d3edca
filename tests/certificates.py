"""Certificates for tests: an authority of their own, on disk as the service wants them."""

import ssl
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

NAME = "echo.test"


@dataclass(frozen=True)
class Authority:
    """An authority, and the files that a service gets from it.

    Args:
        folder: Where they stand; it exists.
        ca: Who signs.
    """

    folder: Path
    ca: trustme.CA

    @classmethod
    def at(cls, folder: Path) -> "Authority":
        """Make an authority and the first certificate of the server."""
        authority = cls(folder, trustme.CA())
        authority.ca.cert_pem.write_to_path(str(authority.ca_file))
        authority.renew()
        return authority

    @property
    def certificate(self) -> Path:
        """The server's chain."""
        return self.folder / "server.pem"

    @property
    def key(self) -> Path:
        """The server's private key."""
        return self.folder / "server.key"

    @property
    def ca_file(self) -> Path:
        """The authority's own certificate."""
        return self.folder / "ca.pem"

    def environ(self, *, mutual: bool = False) -> dict[str, str]:
        """Return the settings of a service that uses them."""
        settings = {
            "BUOY_ECHO_TLS_CERTIFICATE_FILE": str(self.certificate),
            "BUOY_ECHO_TLS_KEY_FILE": str(self.key),
        }
        return settings | ({"BUOY_ECHO_TLS_CLIENT_CA_FILE": str(self.ca_file)} if mutual else {})

    def renew(self, common_name: str = "first") -> None:
        """Replace the server's certificate and its key."""
        certificate = self.ca.issue_cert(NAME, common_name=common_name)
        chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
        _replace(self.key, certificate.private_key_pem.bytes())
        _replace(self.certificate, chain)

    def client(
        self, *, expired: bool = False, signed_by: "trustme.CA | None" = None
    ) -> ssl.SSLContext:
        """Return the context of a client that trusts the server and has a certificate."""
        context = self.anonymous()
        end = datetime.now(UTC) + timedelta(days=-1 if expired else 1)
        certificate = (signed_by or self.ca).issue_cert(
            "client.test", not_before=end - timedelta(days=10), not_after=end
        )
        certificate.configure_cert(context)
        return context

    def anonymous(self) -> ssl.SSLContext:
        """Return the context of a client without a certificate."""
        context = ssl.create_default_context()
        self.ca.configure_trust(context)
        return context

    def outdated(self) -> ssl.SSLContext:
        """Return the context of a client that knows TLS 1.1 at best."""
        context = self.anonymous()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        return context


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority with the server's files."""
    return Authority.at(tmp_path)


def _replace(path: Path, content: bytes) -> None:
    """Put it there at once, as whoever renews certificates does."""
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.rename(path)
