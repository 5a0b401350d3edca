"""Routes: what each takes and answers, said once, for the router and for the OpenAPI document."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp.typedefs import Handler

from api.body import BodyReader

JSON = "application/json"


@dataclass(frozen=True)
class Parameter:
    """Something a request carries beside its body.

    Args:
        name: Its name.
        place: ``path``, ``query`` or ``header``.
        kind: Its type, with its bounds.
        description: What it is for.
        required: Whether it has to be there; in a path it always has.
        example: One that would be taken.
    """

    name: str
    place: str
    kind: Any
    description: str
    required: bool = False
    example: Any = None


@dataclass(frozen=True)
class Answer:
    """One status that a route answers with, when it does not answer with a problem.

    Args:
        status: The status.
        description: What it means.
        content: The type of the body; ``None`` for none.
        media_type: What the body is.
        headers: Names of header fields, which the OpenAPI document describes.
        links: What can be asked for next, by operation: parameters and where they are found.
    """

    status: int
    description: str
    content: Any = None
    media_type: str = JSON
    headers: tuple[str, ...] = ()
    links: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Route:
    """One method of one path.

    Args:
        method: ``GET`` answers ``HEAD``, too.
        path: With ``{name}`` for a segment.
        handler: What answers.
        name: The operation's, unique.
        summary: One line.
        answers: Statuses that are no problem.
        problems: Statuses that are, beside those that follow from the rest: 401, 403 and 429 from a
            scope, 400, 413, 415 and 422 from a body.
        scope: What the client's token must have; ``None`` asks for no token.
        parameters: What the request carries.
        body: Reads the request's body.
        is_greeting: Whether the limit of greetings is its limit.
    """

    method: str
    path: str
    handler: Handler
    name: str
    summary: str
    answers: tuple[Answer, ...]
    problems: Mapping[int, str] = field(default_factory=dict)
    scope: str | None = None
    parameters: tuple[Parameter, ...] = ()
    body: BodyReader[Any] | None = None
    is_greeting: bool = False

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that it answers."""
        return ("GET", "HEAD") if self.method == "GET" else (self.method,)

    @property
    def pattern(self) -> str:
        """The path as aiohttp's router takes it; its own pattern leaves braces out."""
        return self.path.replace("}", ":[^/]+}")
