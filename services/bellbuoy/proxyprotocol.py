"""The PROXY protocol, versions 1 and 2: who the client is behind a proxy, read from bytes.

Law of this file: no sockets, no clock. A header is complete, incomplete or malformed, and nothing
after it is looked at. Source: HAProxy, "The PROXY protocol", versions 1 & 2 (proxy-protocol.txt).
"""

import ipaddress
import socket
import struct
from dataclasses import dataclass

V1_LONGEST = 107
"""Bytes of the longest version 1 line, CRLF included (section 2.1)."""

V2_FIXED = 16
"""Bytes of version 2 before its addresses (section 2.2)."""

V2_LONGEST = V2_FIXED + 2048
"""Bytes of a version 2 header that we take: addresses and what large senders add in TLVs."""

V2_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_V1_SIGNATURE = b"PROXY "
_V2_HEAD = struct.Struct("!12sBBH")
_LOCAL, _PROXY = 0x20, 0x21
_ADDRESSES = {
    0x11: (socket.AF_INET, struct.Struct("!4s4sHH")),
    0x21: (socket.AF_INET6, struct.Struct("!16s16sHH")),
}
"""By version 2's family and protocol: TCP over IPv4 and over IPv6."""


class Malformed(ValueError):
    """The bytes are no PROXY header; the connection must be dropped (section 2)."""


@dataclass(frozen=True)
class Header:
    """A complete header.

    Args:
        length: Bytes it took.
        source: The client's address and port; ``None`` when the proxy speaks for itself (LOCAL,
            UNKNOWN) and the connection's own peer counts.
    """

    length: int
    source: tuple[str, int] | None


def parse(data: bytes) -> Header | None:
    """Return the header that ``data`` begins with, or ``None`` while it is incomplete.

    Raises:
        Malformed: It cannot become a header any more.
    """
    if data.startswith(V2_SIGNATURE[: len(data)]):
        return _parse_v2(data)
    if data.startswith(_V1_SIGNATURE[: len(data)]):
        return _parse_v1(data)
    raise Malformed("neither version's signature")


def wanted(data: bytes) -> int:
    """Return how many bytes may be read after an incomplete header without reading too many."""
    if len(data) < len(V2_SIGNATURE):
        # Shorter than the shortest header of version 1, PROXY UNKNOWN and CRLF.
        return len(V2_SIGNATURE) - len(data)
    if data.startswith(_V1_SIGNATURE):
        return 1
    if len(data) < V2_FIXED:
        return V2_FIXED - len(data)
    length: int = _V2_HEAD.unpack_from(data)[3]
    return V2_FIXED + length - len(data)


def _parse_v1(data: bytes) -> Header | None:
    line, end, _ = data[:V1_LONGEST].partition(b"\r\n")
    if not end:
        if len(data) >= V1_LONGEST:
            raise Malformed("a version 1 line without an end")
        return None
    length = len(line) + len(end)
    try:
        fields = line.decode("ascii").split(" ")
    except UnicodeDecodeError as error:
        raise Malformed("a version 1 line that is not ASCII") from error
    if fields[1] == "UNKNOWN":
        return Header(length, None)
    return Header(length, _v1_source(fields))


def _v1_source(fields: list[str]) -> tuple[str, int]:
    versions = {"TCP4": ipaddress.IPv4Address, "TCP6": ipaddress.IPv6Address}
    if len(fields) != 6 or fields[1] not in versions:  # noqa: PLR2004 - PROXY, protocol, 2 x 2
        raise Malformed("a version 1 line with other fields")
    if "%" in fields[2] + fields[3]:
        raise Malformed("a version 1 line with a scope, which means nothing elsewhere")
    try:
        source, _ = (versions[fields[1]](address) for address in fields[2:4])
    except ValueError as error:
        raise Malformed("a version 1 line with a bad address") from error
    port, _ = (_v1_port(field) for field in fields[4:6])
    return str(source), port


def _v1_port(field: str) -> int:
    if not field.isdigit() or str(int(field)) != field or int(field) > 65535:  # noqa: PLR2004
        raise Malformed("a version 1 line with a bad port")
    return int(field)


def _parse_v2(data: bytes) -> Header | None:
    if len(data) < V2_FIXED:
        return None
    _, command, family, length = _V2_HEAD.unpack_from(data)
    if command not in {_LOCAL, _PROXY}:
        raise Malformed("an unknown version 2 command")
    if V2_FIXED + length > V2_LONGEST:
        raise Malformed("a version 2 header that is too long")
    if command == _PROXY and family in _ADDRESSES and length < _ADDRESSES[family][1].size:
        raise Malformed("a version 2 header shorter than its addresses")
    if len(data) < V2_FIXED + length:
        return None
    return Header(V2_FIXED + length, _v2_source(data, command, family))


def _v2_source(data: bytes, command: int, family: int) -> tuple[str, int] | None:
    # Other families (UNSPEC, UDP, unix sockets) are to be skipped, not refused.
    if command == _LOCAL or family not in _ADDRESSES:
        return None
    kind, layout = _ADDRESSES[family]
    source, _, port, _ = layout.unpack_from(data, V2_FIXED)
    return socket.inet_ntop(kind, source), port
