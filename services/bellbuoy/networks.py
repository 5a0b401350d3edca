"""Networks: which addresses are believed to speak for others."""

import ipaddress
from functools import lru_cache

from bellbuoy.errors import SettingsError


class Networks:
    """Some networks, as a setting lists them.

    Args:
        text: CIDR notation, separated by commas; empty for none.
        variable: The setting they stand in, for the message.

    Raises:
        SettingsError: One of them is no network.
    """

    def __init__(self, text: str, variable: str) -> None:
        """Read them."""
        listed = text.split(",") if text.strip() else []
        try:
            self._networks = tuple(ipaddress.ip_network(each.strip()) for each in listed)
        except ValueError as error:
            raise SettingsError([f"{variable}={text!r}: {error}"]) from error
        # Proxies are few and connect often.
        self.hold = lru_cache(maxsize=1024)(self._hold)

    def _hold(self, address: str) -> bool:
        """Return whether an address is in one of them; a unix socket's peer has none."""
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        # A dual-stack listener shows IPv4 as ::ffff:192.0.2.1.
        parsed = getattr(parsed, "ipv4_mapped", None) or parsed
        return any(parsed in network for network in self._networks)
