"""Entity tags: which version a client has, and which one it means (RFC 9110, section 8.8 and 13).

Law of this file: a user's tag is its version, and strong. ``If-Match`` compares strongly, so a weak
tag never matches; ``If-None-Match`` compares weakly.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from bellbuoy.host.web import Problem

PATTERN = r'^(?:\*|(?:W/)?"[!#-~]*"(?:, ?(?:W/)?"[!#-~]*")*)$'
"""How clients may spell a condition, for the OpenAPI document."""

_TAG = re.compile(r'[ \t]*(?:(W/)?"([\x21\x23-\x7e\x80-\U0010ffff]*)")?[ \t]*(?:,|$)')
_VERSION = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)
_MAX_VERSION = (1 << 31) - 1
_MOST = 64


@dataclass(frozen=True)
class Condition:
    """A list of tags.

    Args:
        tags: The opaque tags and whether each is weak; ``None`` stands for ``*``.
    """

    tags: tuple[tuple[str, bool], ...] | None

    def names(self, opaque: str) -> bool:
        """Return whether a representation with this tag is meant, compared weakly."""
        return self.tags is None or any(tag == opaque for tag, _ in self.tags)

    def versions(self, *, weakly: bool = False) -> list[int] | None:
        """Return the versions that are meant, compared strongly or not; ``None`` is any."""
        if self.tags is None:
            return None
        tags = (tag for tag, is_weak in self.tags if weakly or not is_weak)
        numbers = (int(tag) for tag in tags if _VERSION.fullmatch(tag))
        return [number for number in numbers if number <= _MAX_VERSION]


@dataclass(frozen=True)
class Versions:
    """Which versions a change is for.

    Args:
        only: Those of ``If-Match``; ``None`` stands for any.
        but: Those of ``If-None-Match``, which it is not for.
    """

    only: list[int] | None
    but: list[int]


def of_version(version: int) -> str:
    """Return the tag of a user's version."""
    return f'"{version}"'


def required(request: web.Request) -> Versions:
    """Return which versions a change is for: ``If-Match`` says it, ``If-None-Match`` may.

    Raises:
        Problem: 428 without ``If-Match``, 400 when one of them is malformed.
    """
    match, none_match = _condition(request, "If-Match"), _condition(request, "If-None-Match")
    if match is None:
        raise Problem(428, "Say which version you mean: If-Match with its ETag, or * for any.")
    but = none_match.versions(weakly=True) if none_match else []
    # Not for any version there may be: that leaves none (RFC 9110, section 13.1.2).
    return Versions([], []) if but is None else Versions(match.versions(), but)


def require_addition(request: web.Request) -> None:
    """Refuse to add to a list if a condition speaks against it.

    The list is what a POST is about, and it is always there, so ``If-None-Match: *`` is never true
    (RFC 9110, section 13.1.2). It has no tag of its own, because those of pages say nothing of the
    rest: no tag ever matches.

    Raises:
        Problem: 412, or 400 when a condition is malformed.
    """
    match, none_match = _condition(request, "If-Match"), _condition(request, "If-None-Match")
    if none_match is not None and none_match.tags is None:
        raise Problem(412, "The list is there. An address has one user anyway: leave * out.")
    if match is not None and match.tags is not None:
        raise Problem(412, "A list has no version that one could mean.")


def is_known(request: web.Request, tag: str) -> bool:
    """Return whether the client has what ``tag`` stands for already.

    A malformed ``If-None-Match`` names nothing: the client gets what it would get without.
    """
    values = request.headers.getall("If-None-Match", ())
    condition = parse(values) if values else None
    return condition is not None and condition.names(tag[1:-1])


def _condition(request: web.Request, field: str) -> Condition | None:
    """Return a field of a change; malformed it must not be taken for none."""
    values = request.headers.getall(field, ())
    if not values:
        return None
    condition = parse(values)
    if condition is None:
        raise Problem(400, f"{field} takes * or up to {_MOST} entity tags in quotes.")
    return condition


def parse(values: Sequence[str]) -> Condition | None:
    """Return what the lines of a field say; ``None`` when they are malformed."""
    text = ",".join(values).strip(" \t")
    if text == "*":
        return Condition(None)
    tags: list[tuple[str, bool]] = []
    position = 0
    while position < len(text):
        match = _TAG.match(text, position)
        if match is None or match.end() == position or len(tags) == _MOST:
            return None
        if match[2] is not None:
            tags.append((match[2], match[1] is not None))
        position = match.end()
    return Condition(tuple(tags)) if tags else None
