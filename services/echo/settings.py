"""The echo service's settings."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from bellbuoy.errors import SettingsError
from bellbuoy.host.proxies import Proxies
from bellbuoy.host.tls import TlsFiles
from bellbuoy.settings import EchoPorts, HostSettings, variable

LEAST_AGE = 0.1
"""Seconds; as the least timeout. What is shorter is looked for all the time."""


@dataclass(frozen=True, kw_only=True)
class EchoSettings(HostSettings, EchoPorts):
    """What ``python -m echo`` reads from the environment."""

    echo_idle_timeout_seconds: Annotated[
        float,
        Meta(ge=0.1, description="A connection on which nothing moved for so long is closed."),
    ] = 300.0
    echo_write_timeout_seconds: Annotated[
        float,
        Meta(ge=0.1, description="A client that reads nothing of what waits for so long is cut."),
    ] = 30.0
    echo_half_close_timeout_seconds: Annotated[
        float,
        Meta(ge=0.1, description="After its FIN, a client must read what is left within this."),
    ] = 10.0
    echo_max_age_seconds: Annotated[
        float,
        Meta(
            ge=0,
            description="A connection this old, a tenth more or less, is finished as in a drain, "
            "so that its client comes anew and may reach another instance; 0 means never, and 0.1 "
            "is the least age.",
        ),
    ] = 0.0
    echo_write_buffer_bytes: Annotated[
        int,
        Meta(
            ge=1024,
            le=64 * 1024 * 1024,
            description="Unsent bytes of one connection at which reading from it stops; it goes "
            "on at a quarter.",
        ),
    ] = 256 * 1024
    echo_write_budget_bytes: Annotated[
        int,
        Meta(
            ge=1024 * 1024,
            description="Unsent bytes of all connections of a worker; above it, those are cut "
            "that have been stalled longest.",
        ),
    ] = 128 * 1024 * 1024
    echo_tls_certificate_file: Annotated[
        Path | None,
        Meta(description="The server's certificate chain, PEM; with the key it switches TLS on."),
    ] = None
    echo_tls_key_file: Annotated[
        Path | None, Meta(description="The private key of the certificate, PEM.")
    ] = None
    echo_tls_client_ca_file: Annotated[
        Path | None,
        Meta(description="Certificates that vouch for clients; with it every client needs one."),
    ] = None
    echo_proxy_networks: Annotated[
        str,
        Meta(
            description="Networks, separated by commas, from which proxies connect; then nobody "
            "else may, and every connection begins with a PROXY header. Empty switches it off."
        ),
    ] = ""

    @property
    def max_age(self) -> float:
        """The age at which a connection ends, in seconds; infinity when it may stay.

        Raises:
            SettingsError: It is too short.
        """
        age = self.echo_max_age_seconds
        if 0 < age < LEAST_AGE:
            name = variable("echo_max_age_seconds")
            raise SettingsError([f"{name}={age}: expected 0, or {LEAST_AGE} at least"])
        return age or math.inf

    @property
    def tls_files(self) -> TlsFiles | None:
        """Where the server's identity stands, or ``None`` without TLS.

        Raises:
            SettingsError: One file is named without the one that it needs.
        """
        certificate, key = self.echo_tls_certificate_file, self.echo_tls_key_file
        if certificate and key:
            return TlsFiles(certificate, key, self.echo_tls_client_ca_file)
        if certificate or key or self.echo_tls_client_ca_file:
            missing = "echo_tls_key_file" if certificate else "echo_tls_certificate_file"
            raise SettingsError([f"{variable(missing)}: required by another TLS file, and not set"])
        return None

    @property
    def proxies(self) -> Proxies | None:
        """The proxies that are believed, or ``None`` when there are none.

        Raises:
            SettingsError: A network is malformed.
        """
        name = variable("echo_proxy_networks")
        return Proxies(self.echo_proxy_networks, name) if self.echo_proxy_networks else None
