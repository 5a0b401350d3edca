"""Bodies: JSON from a client, or a problem that points at what is wrong with it.

Law of this file: only flat objects of text are read. That is why a member that is there twice can
be found by counting, which no JSON library tells.
"""

import re
from typing import Generic, TypeVar

import msgspec
from aiohttp import web
from aiohttp.helpers import parse_mimetype

from bellbuoy.host.web import FieldError, Problem

T = TypeVar("T", bound=msgspec.Struct)

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_PLACE = re.compile(r" - at `\$\.?(.*)`$")
_MEMBER = re.compile(r"^Object (?:missing required|contains unknown) field `(.*)`$", re.DOTALL)
_SHOWN = 80
"""Characters of a member's name that are repeated to who sent it."""


class BodyReader(Generic[T]):
    """Reads bodies of one type.

    Args:
        media_type: What the client must declare.
        kind: A flat struct.
    """

    def __init__(self, media_type: str, kind: type[T]) -> None:
        """Make the decoder, once."""
        self.media_type = media_type
        self.kind = kind
        self._decode = msgspec.json.Decoder(kind).decode
        self._fields = kind.__struct_fields__

    async def read(self, request: web.Request) -> T:
        """Return what the body says.

        Raises:
            Problem: 415 for another type or coding, 400 for what is no JSON, 422 for JSON that
                does not fit.
        """
        self._check_type(request)
        return self.decode(await request.read())

    def decode(self, body: bytes) -> T:
        """Return what ``body`` says; see :meth:`read`."""
        try:
            content = self._decode(body)
        except msgspec.ValidationError as error:
            raise _misfit(str(error)) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Problem(400, "The body is not JSON (RFC 8259) in UTF-8.") from error
        # Where nothing is there twice, and no colon in a text, counting all colons is enough.
        given = self._given(content)
        if body.count(b":") != given and _STRING.sub(b"", body).count(b":") != given:
            raise Problem(400, "A member of the object is there twice.")
        return content

    def _given(self, content: T) -> int:
        return sum(getattr(content, field) is not msgspec.UNSET for field in self._fields)

    def _check_type(self, request: web.Request) -> None:
        headers = request.headers
        declared = headers.getall("Content-Type", ())
        if len(declared) != 1 or not self._takes(declared[0]):
            # RFC 9110, 15.5.16: say what would be taken.
            field = "Accept-Patch" if request.method == "PATCH" else "Accept"
            raise Problem(415, f"The body must be {self.media_type}.", {field: self.media_type})
        if headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise Problem(415, "The body must not be encoded.", {"Accept-Encoding": "identity"})

    def _takes(self, declared: str) -> bool:
        if declared == self.media_type:
            return True
        mime = parse_mimetype(declared)
        kind = f"{mime.type}/{mime.subtype}" + (f"+{mime.suffix}" if mime.suffix else "")
        charset = mime.parameters.get("charset", "utf-8").lower()
        return kind == self.media_type and charset in {"utf-8", "utf8"}


def _misfit(message: str) -> Problem:
    place = _PLACE.search(message)
    text = message[: place.start()] if place else message
    pointer = "#/" + place[1] if place and place[1] else "#"
    if member := _MEMBER.match(text):
        pointer = f"{pointer.rstrip('/')}/{_escaped(member[1][:_SHOWN])}"
        text = "This member is required." if "missing" in text else "There is no such member."
    elif "matching regex" in text:
        text = "This text has a form or characters that are not taken here."
    else:
        text = text.replace("`", "") + "."
    return Problem(422, "The body is JSON that does not fit.", errors=(FieldError(pointer, text),))


def _escaped(member: str) -> str:
    """Return a member's name as JSON pointers spell it (RFC 6901)."""
    return member.replace("~", "~0").replace("/", "~1")
