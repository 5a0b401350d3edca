"""Hostile requests: what a client may send that no well-meaning one does, and what it gets.

Written from RFC 9110, RFC 9112 and the advisories of aiohttp, gunicorn, llhttp, Node and HAProxy.
Each is sent as it stands, on a connection of its own, to an application that answers 200 at ``/``
and to GET at any path of one segment, reads bodies, and takes POST at ``/``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

HOST = b"Host: t\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST
POST = b"POST / HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n"
SECOND = b"GET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n"


@dataclass(frozen=True)
class Hostile:
    """One request, or what passes for one.

    Args:
        name: What is wrong with it, or right against all appearance.
        data: As it is sent.
        status: What it is answered with.
        open: Whether the connection takes another request afterwards.
    """

    name: str
    data: bytes
    status: int
    open: bool = False


def bad(name: str, data: bytes, status: int = 400) -> Hostile:
    """Return a request that is refused and ends the connection."""
    return Hostile(name, data, status)


def fine(name: str, data: bytes, status: int = 200) -> Hostile:
    """Return a request that is answered like any other."""
    return Hostile(name, data, status, open=True)


def last(name: str, data: bytes, status: int = 200) -> Hostile:
    """Return a request that is answered like any other, and ends the connection."""
    return Hostile(name, data, status)


def corpus() -> Iterator[Hostile]:
    """Yield all of them."""
    yield from LINES
    yield from TARGETS
    yield from FIELDS
    yield from HOSTS
    yield from LENGTHS
    yield from CODINGS
    yield from CHUNKS
    yield from LIMITS


LINES = [
    bad("nothing like HTTP", b"nonsense\r\n\r\n"),
    bad("a TLS handshake", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    bad("an SSH greeting", b"SSH-2.0-OpenSSH_9.6\r\n"),
    bad("HTTP/2 with prior knowledge", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    bad("a PROXY header from nobody", b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n" + GET + b"\r\n"),
    bad("zero bytes", bytes(64)),
    bad("an empty method", b" / HTTP/1.1\r\n" + HOST + b"\r\n"),
    bad("a method in lower case", b"get / HTTP/1.1\r\n" + HOST + b"\r\n"),
    bad("a method nobody knows", b"BREW / HTTP/1.1\r\n" + HOST + b"\r\n"),
    bad("a method with a space before", b" GET / HTTP/1.1\r\n" + HOST + b"\r\n"),
    bad("a method with a colon", b"GE:T / HTTP/1.1\r\n" + HOST + b"\r\n"),
    bad("a method that is too long", b"G" * 5000 + b" / HTTP/1.1\r\n" + HOST + b"\r\n"),
    bad("no target", b"GET HTTP/1.1\r\n" + HOST + b"\r\n"),
    bad("a tab instead of a space", b"GET\t/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    bad("a space after the version", b"GET / HTTP/1.1 \r\n" + HOST + b"\r\n"),
    bad("two versions", b"GET / HTTP/1.1 HTTP/1.1\r\n" + HOST + b"\r\n"),
    bad("no version", b"GET /\r\n\r\n"),
    bad("HTTP/0.9", b"GET / HTTP/0.9\r\n" + HOST + b"\r\n"),
    bad("HTTP/2.0", b"GET / HTTP/2.0\r\n" + HOST + b"\r\n"),
    bad("HTTP/1.2", b"GET / HTTP/1.2\r\n" + HOST + b"\r\n"),
    bad("HTTP/1.10", b"GET / HTTP/1.10\r\n" + HOST + b"\r\n"),
    bad("HTTP/01.1", b"GET / HTTP/01.1\r\n" + HOST + b"\r\n"),
    bad("HTTP/1,1", b"GET / HTTP/1,1\r\n" + HOST + b"\r\n"),
    bad("HTTP/-1.1", b"GET / HTTP/-1.1\r\n" + HOST + b"\r\n"),
    bad("HTTP in lower case", b"GET / http/1.1\r\n" + HOST + b"\r\n"),
    last("another protocol", b"GET / RTSP/1.0\r\n" + HOST + b"\r\n"),
    bad("a line that ends in LF", b"GET / HTTP/1.1\n" + HOST + b"\r\n"),
    bad("lines that all end in LF", b"GET / HTTP/1.1\nHost: t\n\n"),
    bad("a line that ends in CR", b"GET / HTTP/1.1\r" + HOST + b"\r\n"),
    fine("empty lines before", b"\r\n\r\n" + GET + b"\r\n"),
    fine("two spaces in the line", b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n"),
    last("HTTP/1.0 without a host", b"GET / HTTP/1.0\r\n\r\n"),
]

TARGETS = [
    bad("CONNECT to a port", b"CONNECT t:443 HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    bad("CONNECT to a path", b"CONNECT / HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    bad("CONNECT, then a request", b"CONNECT t:1 HTTP/1.1\r\n" + HOST + b"\r\n" + SECOND, 405),
    fine("TRACE", b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    fine("a method of WebDAV", b"PROPFIND / HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    fine("OPTIONS of the server", b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 204),
    bad("GET of the server", b"GET * HTTP/1.1\r\n" + HOST + b"\r\n"),
    bad("a target without a slash", b"GET a HTTP/1.1\r\n" + HOST + b"\r\n"),
    bad("an absolute target without a host", b"GET http:// HTTP/1.1\r\n" + HOST + b"\r\n"),
    bad("an absolute target with a user", b"GET http://u@t/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    bad("an absolute target of FTP", b"GET ftp://t/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    bad("an absolute target of a file", b"GET file:///etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n"),
    bad("half an IPv6 address", b"GET http://[::1 HTTP/1.1\r\n" + HOST + b"\r\n"),
    bad("a port that is none", b"GET http://t:99999/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    fine("an absolute target", b"GET http://t/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    fine("an absolute target without a path", b"GET http://t HTTP/1.1\r\n" + HOST + b"\r\n"),
    fine("an absolute target of another host", b"GET http://x/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    bad("a fragment", b"GET /#x HTTP/1.1\r\n" + HOST + b"\r\n"),
    bad("a space in the path", b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n"),
    bad("a tab in the path", b"GET /a\tb HTTP/1.1\r\n" + HOST + b"\r\n"),
    bad("a NUL in the path", b"GET /a\0b HTTP/1.1\r\n" + HOST + b"\r\n"),
    bad("bytes that are not ASCII", b"GET /\xff\xfe HTTP/1.1\r\n" + HOST + b"\r\n"),
    bad("a CR in the path", b"GET /a\rb HTTP/1.1\r\n" + HOST + b"\r\n"),
    fine("two slashes", b"GET //evil HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    fine("two slashes and a host", b"GET //evil.example/ HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    fine("dots", b"GET /../../etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    fine("dots, encoded", b"GET /%2e%2e/ HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    fine("a slash, encoded", b"GET /..%2fetc%2fpasswd HTTP/1.1\r\n" + HOST + b"\r\n"),
    fine("backslashes", b"GET /..\\..\\x HTTP/1.1\r\n" + HOST + b"\r\n"),
    fine("a line break, encoded", b"GET /%0d%0aSet-Cookie:x HTTP/1.1\r\n" + HOST + b"\r\n"),
    fine("a broken encoding", b"GET /%zz HTTP/1.1\r\n" + HOST + b"\r\n"),
    fine("a query of nothing", b"GET /?&&&===& HTTP/1.1\r\n" + HOST + b"\r\n"),
]

FIELDS = [
    bad("a space before the colon", b"GET / HTTP/1.1\r\nHost : t\r\n\r\n"),
    bad("a space before the name", b"GET / HTTP/1.1\r\n Host: t\r\n\r\n"),
    bad("a folded field", GET + b"X: a\r\n b\r\n\r\n"),
    bad("a field folded by a tab", GET + b"X: a\r\n\tb\r\n\r\n"),
    bad("a field without a colon", GET + b"X\r\n\r\n"),
    bad("a field without a name", GET + b": x\r\n\r\n"),
    bad("a name with a space", GET + b"A B: x\r\n\r\n"),
    bad("a name with a parenthesis", GET + b"A(B): x\r\n\r\n"),
    bad("a name that is not ASCII", GET + b"\xc4: x\r\n\r\n"),
    bad("a NUL in a name", GET + b"A\0: x\r\n\r\n"),
    bad("a NUL in a value", GET + b"A: \0\r\n\r\n"),
    bad("a bell in a value", GET + b"A: \7\r\n\r\n"),
    bad("a CR in a value", GET + b"A: x\ry\r\n\r\n"),
    bad("a field that ends in LF", GET + b"A: x\nB: y\r\n\r\n"),
    bad("an end in LF", GET + b"A: x\r\n\n"),
    bad("the first field of old websockets", GET + b"Sec-WebSocket-Key1: x\r\n\r\n"),
    fine("an expectation nobody meets", GET + b"Expect: miracles\r\n\r\n", 417),
    fine("a value of nothing", GET + b"A:\r\n\r\n"),
    fine("a value in UTF-8", GET + "A: \u00e4\r\n\r\n".encode()),
    fine("tabs around a value", GET + b"A:\t x \t\r\n\r\n"),
    fine("a name of all that is allowed", GET + b"!#$%&'*+-.^_`|~09Az: x\r\n\r\n"),
    last("an upgrade to HTTP/2", GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + SECOND),
    last("an upgrade nobody takes", GET + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
    fine("a forged address", GET + b"X-Forwarded-For: 127.0.0.1\r\nForwarded: for=x\r\n\r\n"),
    fine("an id that attacks a log", GET + b'X-Request-Id: "}{<script>\r\n\r\n'),
    fine("a trace that is none", GET + b"traceparent: 00-x\r\ntracestate: \xff\r\n\r\n"),
    fine("credentials that are none", GET + b"Authorization: \xff\xfe\r\n\r\n"),
]

HOSTS = [
    bad("no host", b"GET / HTTP/1.1\r\n\r\n"),
    bad("two hosts", GET + b"Host: u\r\n\r\n"),
    bad("the same host twice", GET + HOST + b"\r\n"),
    bad("an empty host", b"GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    bad("a host with a space", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    bad("two hosts in one", b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    bad("a host with a path", b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    bad("a host with a user", b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
    bad("a host that is not ASCII", b"GET / HTTP/1.1\r\nHost: \xe4\r\n\r\n"),
    bad("a port of letters", b"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"),
    bad("an empty host in HTTP/1.0", b"GET / HTTP/1.0\r\nHost:\r\n\r\n"),
    fine("another host, with two slashes", b"GET //x/ HTTP/1.1\r\nHost: evil\r\n\r\n", 404),
    fine(
        "another host, forwarded", GET + b"X-Forwarded-Host: evil\r\nForwarded: host=evil\r\n\r\n"
    ),
    fine("a host and a port", b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"),
]

LENGTHS = [
    bad("a length of letters", POST + b"Content-Length: x\r\n\r\n"),
    bad("a length with a sign", POST + b"Content-Length: +1\r\n\r\nx"),
    bad("a length below nothing", POST + b"Content-Length: -1\r\n\r\n"),
    bad("a length in hexadecimal", POST + b"Content-Length: 0x1\r\n\r\nx"),
    bad("a length with an underscore", POST + b"Content-Length: 1_0\r\n\r\n0123456789"),
    bad("a length with a space", POST + b"Content-Length: 1 0\r\n\r\n0123456789"),
    bad("a length with a fraction", POST + b"Content-Length: 1.0\r\n\r\nx"),
    bad("a length that is empty", POST + b"Content-Length:\r\n\r\n"),
    bad("a length of foreign digits", POST + "Content-Length: \u0661\r\n\r\nx".encode()),
    bad("a list of lengths", POST + b"Content-Length: 1, 1\r\n\r\nx"),
    bad("two lengths", POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy"),
    bad("the same length twice", POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx"),
    bad("a length beyond 64 bits", POST + b"Content-Length: 18446744073709551617\r\n\r\nx"),
    bad("a length of many digits", POST + b"Content-Length: " + b"9" * 500 + b"\r\n\r\n"),
    bad("more than may be sent", POST + b"Content-Length: 70000\r\n\r\n" + bytes(70000), 413),
    bad(
        "a byte more than may be sent", POST + b"Content-Length: 65537\r\n\r\n" + bytes(65537), 413
    ),
    fine("as much as may be sent", POST + b"Content-Length: 65536\r\n\r\n" + bytes(65536)),
    fine("a length with zeros before", POST + b"Content-Length: 0001\r\n\r\nx"),
    fine("a body where none is expected", GET + b"Content-Length: 1\r\n\r\nx"),
    fine("a length of nothing", POST + b"Content-Length: 0\r\n\r\n"),
]

CODINGS = [
    bad("both framings", CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n"),
    bad(
        "both, the length first", POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
    ),
    bad("both, and a request behind", CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n" + SECOND),
    bad("a coding nobody knows", POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    bad("identity", POST + b"Transfer-Encoding: identity\r\n\r\n"),
    bad(
        "identity and a length", POST + b"Transfer-Encoding: identity\r\nContent-Length: 1\r\n\r\nx"
    ),
    bad("chunked, then identity", POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    bad("chunked twice", POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    bad("two fields of it", CHUNKED + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    bad("two fields, one of them false", CHUNKED + b"Transfer-Encoding: x\r\n\r\n0\r\n\r\n"),
    bad("gzip, then chunked", POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    bad("a vertical tab", POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
    bad("quotes", POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n'),
    bad("an empty coding", POST + b"Transfer-Encoding:\r\n\r\n0\r\n\r\n"),
    bad("a folded coding", POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    bad("a space before its colon", POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    bad(
        "a coding in HTTP/1.0",
        b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    bad("a gzipped body", POST + b"Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", 415),
    bad("a body of Brotli", POST + b"Content-Encoding: br\r\nContent-Length: 1\r\n\r\nx", 415),
    bad("a deflated body", POST + b"Content-Encoding: deflate\r\nContent-Length: 1\r\n\r\nx", 415),
    bad("a body of zstd", POST + b"Content-Encoding: zstd\r\nContent-Length: 1\r\n\r\nx", 415),
    last("capitals", POST + b"Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n"),
]

CHUNKS = [
    bad("a size of letters", CHUNKED + b"\r\nzz\r\n"),
    bad("a size with a sign", CHUNKED + b"\r\n+1\r\nx\r\n0\r\n\r\n"),
    bad("a size below nothing", CHUNKED + b"\r\n-1\r\nx\r\n0\r\n\r\n"),
    bad("a size with 0x", CHUNKED + b"\r\n0x1\r\nx\r\n0\r\n\r\n"),
    bad("a size with an underscore", CHUNKED + b"\r\n1_0\r\n" + bytes(16) + b"\r\n0\r\n\r\n"),
    bad("a size with a space before", CHUNKED + b"\r\n 1\r\nx\r\n0\r\n\r\n"),
    bad("a size with a space behind", CHUNKED + b"\r\n1 \r\nx\r\n0\r\n\r\n"),
    bad("a size beyond 64 bits", CHUNKED + b"\r\n10000000000000001\r\nx\r\n0\r\n\r\n"),
    bad("no size", CHUNKED + b"\r\n\r\nx\r\n0\r\n\r\n"),
    bad("a size that ends in LF", CHUNKED + b"\r\n1\nx\r\n0\r\n\r\n"),
    bad("an extension that ends in LF", CHUNKED + b"\r\n1;a\nx\r\n0\r\n\r\n"),
    bad("a chunk longer than it says", CHUNKED + b"\r\n1\r\nxyz\r\n0\r\n\r\n"),
    bad("a chunk that ends in LF", CHUNKED + b"\r\n1\r\nx\n0\r\n\r\n"),
    bad("a CR alone behind a chunk", CHUNKED + b"\r\n1\r\nx\r0\r\n\r\n"),
    bad("a trailer without a colon", CHUNKED + b"\r\n0\r\nX\r\n\r\n"),
    bad("a trailer with a space", CHUNKED + b"\r\n0\r\nA B: x\r\n\r\n"),
    last("an extension", CHUNKED + b"\r\n1;a=b\r\nx\r\n0\r\n\r\n"),
    last("a trailer", CHUNKED + b"\r\n0\r\nA: b\r\n\r\n"),
    last("a host in the trailer", CHUNKED + b"\r\n0\r\nHost: evil\r\n\r\n"),
    last("credentials in the trailer", CHUNKED + b"\r\n0\r\nAuthorization: x\r\n\r\n" + SECOND),
    last("a size with zeros before", CHUNKED + b"\r\n00001\r\nx\r\n0\r\n\r\n"),
]

LIMITS = [
    bad("a long target", b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    bad("a long query", b"GET /?" + b"a=b&" * 10_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    bad("a long value", GET + b"A: " + b"x" * 9000 + b"\r\n\r\n", 431),
    bad("a long name", GET + b"A" * 9000 + b": x\r\n\r\n", 431),
    bad("many fields", GET + b"A: x\r\n" * 200 + b"\r\n", 431),
    bad("many cookies", GET + b"Cookie: " + b"a=b; " * 10_000 + b"\r\n\r\n", 431),
    bad("a megabyte of trailers", CHUNKED + b"\r\n0\r\n" + b"A: b\r\n" * 170_000 + b"\r\n", 431),
    bad("a long trailer", CHUNKED + b"\r\n0\r\nA: " + b"b" * 9000 + b"\r\n\r\n", 431),
    bad(
        "more chunks than may be sent",
        CHUNKED + b"\r\n" + (b"ffff\r\n" + bytes(0xFFFF) + b"\r\n") * 3 + b"0\r\n\r\n",
        413,
    ),
    last(
        "as much in chunks as may be sent",
        CHUNKED
        + b"\r\n8000\r\n"
        + bytes(0x8000)
        + b"\r\n8000\r\n"
        + bytes(0x8000)
        + b"\r\n0\r\n\r\n",
    ),
    bad(
        "a byte more in chunks than may be sent",
        CHUNKED
        + b"\r\n8000\r\n"
        + bytes(0x8000)
        + b"\r\n8001\r\n"
        + bytes(0x8001)
        + b"\r\n0\r\n\r\n",
        413,
    ),
    bad("a head of megabytes", GET + b"".join(b"A%d: x\r\n" % n for n in range(300_000)), 431),
]
