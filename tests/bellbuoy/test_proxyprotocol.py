"""The PROXY protocol: the accept and drop matrix, and whatever else bytes can be."""

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellbuoy.proxyprotocol import (
    V1_LONGEST,
    V2_FIXED,
    V2_LONGEST,
    V2_SIGNATURE,
    Header,
    Malformed,
    parse,
    wanted,
)


def v2(
    command: int = 0x21, family: int = 0x11, addresses: bytes | None = None, tlvs: bytes = b""
) -> bytes:
    """Return a version 2 header, by default of TCP over IPv4."""
    if addresses is None:
        addresses = bytes([192, 0, 2, 7, 192, 0, 2, 1]) + struct.pack("!HH", 56324, 443)
    body = addresses + tlvs
    return V2_SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


V6 = socket.inet_pton(socket.AF_INET6, "2001:db8::7") * 2 + struct.pack("!HH", 56324, 443)
UNIX = b"/run/a".ljust(108, b"\0") * 2
CLIENT = ("192.0.2.7", 56324)

TAKEN = {
    "1 TCP4": (b"PROXY TCP4 192.0.2.7 192.0.2.1 56324 443\r\n", CLIENT),
    "1 TCP6": (b"PROXY TCP6 2001:db8::7 ::1 56324 443\r\n", ("2001:db8::7", 56324)),
    "1 UNKNOWN": (b"PROXY UNKNOWN\r\n", None),
    "1 UNKNOWN with more": (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None),
    "1 the longest": (b"PROXY UNKNOWN".ljust(V1_LONGEST - 2) + b"\r\n", None),
    "1 port 0": (b"PROXY TCP4 1.2.3.4 1.2.3.4 0 65535\r\n", ("1.2.3.4", 0)),
    "2 TCP4": (v2(), CLIENT),
    "2 TCP6": (v2(family=0x21, addresses=V6), ("2001:db8::7", 56324)),
    "2 TLVs": (v2(tlvs=b"\x04\0\x01x"), CLIENT),
    "2 the longest": (v2(tlvs=bytes(V2_LONGEST - V2_FIXED - 12)), CLIENT),
    "2 LOCAL": (v2(command=0x20, family=0, addresses=b""), None),
    "2 LOCAL with addresses": (v2(command=0x20), None),
    "2 UNSPEC": (v2(family=0, addresses=b""), None),
    "2 UDP": (v2(family=0x12), None),
    "2 unix": (v2(family=0x31, addresses=UNIX), None),
}

DROPPED = {
    "no header": b"hello, world",
    "HTTP": b"GET / HTTP/1.1\r\n",
    "TLS": b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
    "empty line": b"\r\n\r\nGET / HTTP",
    "lower case": b"proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
    "1 no protocol": b"PROXY \r\n",
    "1 UDP": b"PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
    "1 too few fields": b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
    "1 too many fields": b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
    "1 two spaces": b"PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n",
    "1 bad source": b"PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n",
    "1 bad destination": b"PROXY TCP4 1.2.3.4 x 1 2\r\n",
    "1 the other family": b"PROXY TCP4 ::1 ::1 1 2\r\n",
    "1 a scope": b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
    "1 port too great": b"PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n",
    "1 port negative": b"PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n",
    "1 port with zeros": b"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
    "1 not ASCII": "PROXY TCP4 1.2.3.4 1.2.3.4 \u0661 2\r\n".encode(),
    "1 LF only": b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n".ljust(V1_LONGEST),
    "1 a byte too long": b"PROXY UNKNOWN".ljust(V1_LONGEST - 1) + b"\r\n",
    "2 version 1": v2(command=0x11),
    "2 version 3": v2(command=0x31),
    "2 unknown command": v2(command=0x22),
    "2 shorter than its addresses": v2(addresses=bytes(11)),
    "2 IPv6 with IPv4's length": v2(family=0x21),
    "2 a byte too long": v2(tlvs=bytes(V2_LONGEST - V2_FIXED - 11)),
    "2 broken signature": v2().replace(b"QUIT", b"QUIP"),
}

addresses4 = st.ip_addresses(v=4)
addresses6 = st.ip_addresses(v=6)
ports = st.integers(0, 65535)


@pytest.mark.parametrize("header, source", TAKEN.values(), ids=TAKEN)
def test_what_is_a_header_is_taken(header: bytes, source: tuple[str, int] | None) -> None:
    """Nothing after it is looked at, and it needs its last byte."""
    assert parse(header + b"\0what follows") == Header(len(header), source)
    assert parse(header) == Header(len(header), source)
    assert parse(header[:-1]) is None


@pytest.mark.parametrize("data", DROPPED.values(), ids=DROPPED)
def test_what_is_none_is_dropped(data: bytes) -> None:
    """Nothing is guessed."""
    with pytest.raises(Malformed):
        parse(data)


@pytest.mark.parametrize("name", TAKEN)
def test_every_split_parses_the_same(name: str) -> None:
    """What is there of a header is incomplete, never wrong; and one reads up to its end."""
    header, _ = TAKEN[name]
    for length in range(len(header)):
        data = header[:length]
        assert parse(data) is None
        assert 0 < wanted(data) <= len(header) - length


@given(source=addresses4, target=addresses4, port=ports, version=st.sampled_from([1, 2]))
def test_every_client_over_ipv4_is_understood(
    source: object, target: object, port: int, version: int
) -> None:
    """In either version."""
    packed = b"".join(socket.inet_aton(str(each)) for each in (source, target))
    header = (
        f"PROXY TCP4 {source} {target} {port} 1\r\n".encode()
        if version == 1
        else v2(addresses=packed + struct.pack("!HH", port, 1))
    )
    assert parse(header) == Header(len(header), (str(source), port))


@given(source=addresses6, port=ports)
def test_every_client_over_ipv6_is_understood(source: object, port: int) -> None:
    """And both versions call it the same, apart from IPv4 in IPv6."""
    packed = socket.inet_pton(socket.AF_INET6, str(source))
    line = f"PROXY TCP6 {source} ::1 {port} 1\r\n".encode()
    one = parse(line)
    two = parse(v2(family=0x21, addresses=packed * 2 + struct.pack("!HH", port, 1)))
    assert one is not None
    assert two is not None
    assert one.source is not None
    assert two.source is not None
    assert socket.inet_pton(socket.AF_INET6, one.source[0]) == packed
    assert socket.inet_pton(socket.AF_INET6, two.source[0]) == packed


beginnings = st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", b"PROXY TCP6 ", V2_SIGNATURE, v2()])


@given(
    beginning=beginnings,
    rest=st.one_of(st.binary(max_size=2200), st.text(alphabet="0123456789.: \r\n").map(str.encode)),
)
def test_whatever_comes_is_a_header_or_incomplete_or_malformed(
    beginning: bytes, rest: bytes
) -> None:
    """No other error; and what is incomplete says how much more it may read."""
    data = beginning + rest
    try:
        header = parse(data)
    except Malformed:
        return
    if header is None:
        assert wanted(data) > 0
        assert len(data) < V2_LONGEST
    else:
        assert 0 < header.length <= len(data)
        assert parse(data[: header.length]) == header
