"""Certificates: from files, and anew when they change."""

import os
import ssl

import pytest
import trustme

from bellbuoy.errors import SettingsError
from bellbuoy.host.tls import Certificates, TlsFiles
from tests.certificates import NAME, Authority, authority

__all__ = ["authority"]


def files(authority: Authority, *, mutual: bool = False) -> TlsFiles:
    """Return the server's files."""
    ca = authority.ca_file if mutual else None
    return TlsFiles(authority.certificate, authority.key, ca)


def handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> ssl.SSLObject:
    """Shake hands in memory; return the client's side.

    Raises:
        ssl.SSLError: One of them refused.
    """
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(up, down, server_side=True)
    theirs = client.wrap_bio(down, up, server_hostname=NAME)
    for _ in range(5):
        for side in (theirs, ours):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert theirs.version()
    return theirs


def subject(server: ssl.SSLContext, authority: Authority) -> str:
    """Return the common name that a client sees."""
    certificate = handshake(server, authority.anonymous()).getpeercert()
    assert certificate
    names = {key: value for part in certificate["subject"] for key, value in part}  # type: ignore[str-unpack]  # typeshed knows no shape
    return str(names["commonName"])


def test_a_client_gets_modern_tls(authority: Authority) -> None:
    """Without a certificate of its own."""
    assert handshake(files(authority).load(), authority.anonymous()).version() == "TLSv1.3"


def test_old_tls_is_refused(authority: Authority) -> None:
    """TLS 1.1 and what came before; by the version, and not for want of a cipher in common."""
    server = files(authority).load()
    server.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match=r"(?i)version|protocol"):
        handshake(server, authority.outdated())


def test_a_client_authority_demands_certificates(authority: Authority) -> None:
    """That it signed, and that hold."""
    server = files(authority, mutual=True).load()
    handshake(server, authority.client())
    strangers = (
        authority.anonymous(),
        authority.client(expired=True),
        authority.client(signed_by=trustme.CA()),
    )
    for client in strangers:
        with pytest.raises(ssl.SSLError):
            handshake(server, client)


@pytest.mark.parametrize("name", ["server.pem", "server.key", "ca.pem"])
@pytest.mark.parametrize("content", [None, b"", b"no PEM"])
def test_what_cannot_be_used_is_a_mistake(
    authority: Authority, name: str, content: bytes | None
) -> None:
    """Absent, empty or something else; the message names the files."""
    path = authority.folder / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=name):
        Certificates(files(authority, mutual=True))


def test_replaced_files_are_used(authority: Authority) -> None:
    """From the next look on; without a change, nothing is read."""
    certificates = Certificates(files(authority))
    before = certificates.context
    certificates.refresh()
    assert certificates.context is before
    authority.renew("second")
    certificates.refresh()
    assert subject(certificates.context, authority) == "second"


def test_a_replaced_client_authority_is_used(authority: Authority) -> None:
    """Whom the old one vouched for is a stranger from the next look on."""
    certificates = Certificates(files(authority, mutual=True))
    known, new = authority.client(), trustme.CA()
    handshake(certificates.context, known)
    new.cert_pem.write_to_path(authority.ca_file)
    certificates.refresh()
    handshake(certificates.context, authority.client(signed_by=new))
    with pytest.raises(ssl.SSLError):
        handshake(certificates.context, known)


def test_files_that_do_not_fit_are_not_used(authority: Authority) -> None:
    """Key and certificate are replaced one after the other; what worked works on."""
    certificates = Certificates(files(authority))
    old = authority.certificate.read_bytes()
    authority.renew("second")
    new = authority.certificate.read_bytes()
    authority.certificate.write_bytes(old)
    certificates.refresh()
    assert subject(certificates.context, authority) == "first"
    authority.certificate.unlink()
    certificates.refresh()
    assert subject(certificates.context, authority) == "first"
    authority.certificate.write_bytes(new)
    os.utime(authority.certificate, ns=(1, 1))
    certificates.refresh()
    assert subject(certificates.context, authority) == "second"
