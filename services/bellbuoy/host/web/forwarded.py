"""Forwarded: who the client is, behind proxies.

Law of this file: a word counts only as far as who said it is trusted. Each proxy adds, on the
right, the address that it saw; so the list is read from the right, and ends at the first address
that is not one of our proxies: that is the client, and what stands further left it may have made
up itself.
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator

from aiohttp import web

from bellbuoy.networks import Networks

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"(?:[\t !#-\[\]-~]|\\[\t -~])*"'
_PAIR = re.compile(rf"({_WORD})=({_WORD}|{_QUOTED})", re.ASCII)
_IPV6 = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?", re.ASCII)
_IPV4 = re.compile(r"([0-9.]+)(?::[0-9]{1,5})?", re.ASCII)


class Forwarded:
    """Tells the client's address.

    Args:
        proxies: Whose ``Forwarded`` and ``X-Forwarded-For`` are believed.
    """

    def __init__(self, proxies: Networks) -> None:
        """Believe ``proxies`` and nobody else."""
        self._proxies = proxies

    def client(self, request: web.BaseRequest) -> str:
        """Return the address of who sent the request; empty for a unix socket's peer.

        Where something is malformed it is the last proxy that is trusted. So it is when both
        fields are there and disagree: a proxy that adds to the one passes on a forged other.
        """
        peer = request.remote or ""
        if not self._proxies.hold(peer):
            return peer
        headers = request.headers
        clients = {
            self._walk(peer, hops(values))
            for hops, values in (
                (_forwarded, headers.getall("Forwarded", ())),
                (_x_forwarded_for, headers.getall("X-Forwarded-For", ())),
            )
            if values
        }
        return clients.pop() if len(clients) == 1 else peer

    def _walk(self, peer: str, hops: Iterator[str | None]) -> str:
        """Follow the hops, nearest first, from a trusted peer to the first that is not."""
        for hop in hops:
            if hop is None:
                break
            peer = hop
            if not self._proxies.hold(hop):
                break
        return peer


def network_of(address: str) -> str:
    """Return what to count a client's requests by: IPv6 hosts have a /64 each, at least."""
    if ":" not in address:
        return address
    try:
        exact = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    # A socket that takes both kinds shows IPv4 as ::ffff:192.0.2.1; in one /64 that would be all.
    if exact.ipv4_mapped is not None:
        return str(exact.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(exact), 64), strict=False))


def _x_forwarded_for(values: Iterable[str]) -> Iterator[str | None]:
    for hop in reversed(",".join(values).split(",")):
        yield _address(hop.strip(" \t"))


def _forwarded(values: Iterable[str]) -> Iterator[str | None]:
    """Yield the ``for`` of each element (RFC 7239, section 4); ``None`` where it is none."""
    for element in reversed(_elements(",".join(values))):
        pairs = [_PAIR.fullmatch(pair.strip(" \t")) for pair in element]
        nodes = [pair[2] for pair in pairs if pair and pair[1].lower() == "for"]
        yield _address(nodes[0].strip('"')) if len(nodes) == 1 and all(pairs) else None


def _elements(text: str) -> list[list[str]]:
    """Split at the commas and semicolons that are not quoted; a stray quote quotes the rest."""
    elements = [[""]]
    for part in re.findall(rf"{_QUOTED}|\"[\s\S]*|[,;]|[^\",;]+", text):
        if part == ",":
            elements.append([""])
        elif part == ";":
            elements[-1].append("")
        else:
            elements[-1][-1] += part
    return elements


def _address(node: str) -> str | None:
    """Return the address of a node, without its port; ``None`` for names and nonsense."""
    match = _IPV6.fullmatch(node) or _IPV4.fullmatch(node)
    try:
        return str(ipaddress.ip_address(match[1] if match else node.partition("%")[0]))
    except ValueError:
        return None
