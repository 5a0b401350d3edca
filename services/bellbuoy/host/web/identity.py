"""Identity: how a request is found again, here and beyond."""

import itertools
import re
import secrets
from collections.abc import Mapping
from typing import NamedTuple

from aiohttp import web
from multidict import CIMultiDictProxy, istr

REQUEST_ID = istr("X-Request-Id")

# What UUIDs, ULIDs and trace ids consist of; anything else might be an attack on a log.
_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

# W3C Trace Context, section 3.2: lower case only, ff is no version, zeros are no ids, and a later
# version may have more to say.
_TRACEPARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-.*)?",
    re.ASCII,
)


class Trace(NamedTuple):
    """The part of a distributed trace that a request belongs to."""

    trace_id: str
    parent_id: str


class Identities:
    """Gives requests their ids: unique, and not to be guessed from outside.

    Make one in each process: the beginning of all its ids is random.
    """

    def __init__(self) -> None:
        """Begin."""
        # A random id for each would cost half a microsecond; all of a process begin alike.
        self._prefix = secrets.token_hex(6)
        self._numbers = itertools.count(secrets.randbits(24))

    def identify(self, request: web.BaseRequest) -> str:
        """Return the request's id: the client's if it is well-formed, else a new one."""
        given = request.headers.get(REQUEST_ID)
        if given is not None and _WELL_FORMED.fullmatch(given):
            return given
        return f"{self._prefix}{next(self._numbers):08x}"


def trace(request: web.BaseRequest) -> Trace | None:
    """Return the trace that the client says the request belongs to; malformed is none."""
    return _trace(request.headers)


def told(request_id: str, headers: CIMultiDictProxy[str]) -> Mapping[str, str]:
    """Return the fields by which a log line is found from a request's answer, or its trace."""
    known = _trace(headers)
    return {"request_id": request_id} | ({"trace_id": known.trace_id} if known else {})


def _trace(headers: CIMultiDictProxy[str]) -> Trace | None:
    fields = headers.getall("traceparent", ())
    match = _TRACEPARENT.fullmatch(fields[0]) if len(fields) == 1 else None
    if match is None or (match[1] == "00" and match[4]):
        return None
    return Trace(match[2], match[3])
