"""TLS for a server: a context made of files, and made anew when they change."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import structlog

from bellbuoy.errors import SettingsError

HANDSHAKE = 10.0
"""Seconds a client has for its handshake; the loops' own default is 60."""

SHUTDOWN = 10.0
"""Seconds for what is unsent, and for the client's answer, once either side said close_notify;
the loops' own default is 30."""

_log = structlog.get_logger("bellbuoy.host.tls")

_Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class TlsFiles:
    """Where the server's identity stands.

    Args:
        certificate: PEM, the chain from the server's own certificate on.
        key: PEM, the private key; may stand in the same file.
        client_ca: PEM; when given, a client must show a certificate that it signed.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def load(self) -> ssl.SSLContext:
        """Return a context of what the files hold now: TLS 1.2 and later.

        Raises:
            SettingsError: A file is absent, unreadable, no PEM, or key and certificate differ.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.certificate, self.key)
            if self.client_ca is not None:
                context.load_verify_locations(self.client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
        except OSError as error:  # ssl.SSLError is one
            names = ", ".join(str(path) for path in self._paths())
            raise SettingsError([f"TLS files {names}: {error}"]) from error
        return context

    def stamp(self) -> _Stamp:
        """Return what changes when a file is replaced or written; empty while one is absent."""
        try:
            stats = [path.stat() for path in self._paths()]
        except OSError:
            return ()
        return tuple((stat.st_ino, stat.st_mtime_ns, stat.st_size) for stat in stats)

    def _paths(self) -> list[Path]:
        return [path for path in (self.certificate, self.key, self.client_ca) if path is not None]


class Certificates:
    """The context that new connections use.

    Attributes:
        context: Made of the files as they last were whole.

    Args:
        files: Where they stand.

    Raises:
        SettingsError: They cannot be used.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._stamp = files.stamp()
        self.context = files.load()

    def refresh(self) -> None:
        """Load the files again if they changed; what cannot be used is logged and not used.

        Key and certificate are two files: between their two replacements they do not fit.
        """
        stamp = self._files.stamp()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self.context = self._files.load()
        except SettingsError as error:
            _log.warning("certificates not replaced", error=str(error))
        else:
            _log.info("certificates replaced", certificate=str(self._files.certificate))
