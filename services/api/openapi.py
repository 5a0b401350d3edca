"""The OpenAPI document: made from the table of routes and the types that validate requests."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from api.route import Answer, Parameter, Route
from bellbuoy.host.web import ProblemDetails
from bellbuoy.host.web.problem import CONTENT_TYPE

_REF = "#/components/schemas/{name}"
_REQUEST_ID = "9f8a6c21d4e700000a1c"
_URI = {414: "The URI is too long."}

_HEADERS = {
    "ETag": ("The tag of this version.", {"type": "string", "pattern": '^".+"$'}),
    "Cache-Control": ("Ask again, with the tag.", {"type": "string"}),
    "Location": ("Where the user is.", {"type": "string", "format": "uri-reference"}),
    "Idempotency-Replayed": ("This was answered before.", {"type": "string", "enum": ["true"]}),
    "RateLimit": ("What is left.", {"type": "string"}),
    "RateLimit-Policy": ("What may come at once, in how many seconds.", {"type": "string"}),
    "Retry-After": ("Seconds to wait.", {"type": "string", "pattern": "^[0-9]+$"}),
    "WWW-Authenticate": ("What is asked for (RFC 6750).", {"type": "string"}),
    "Accept": ("What the body may be.", {"type": "string"}),
}
_SOMETIMES = {"Idempotency-Replayed", "RateLimit", "RateLimit-Policy", "Retry-After", "Accept"}

_OF_SCOPE = {
    401: "There is no token, or it is not valid.",
    403: "The token lacks the scope.",
    429: "Too many requests.",
}
_OF_BODY = {
    400: "Something is malformed.",
    413: "The body is too large.",
    415: "The body is of another type.",
    422: "The body does not fit; the problem points at what is wrong.",
}
_PROBLEM_HEADERS = {
    401: ("WWW-Authenticate",),
    403: ("WWW-Authenticate",),
    409: ("Retry-After",),
    429: ("Retry-After", "RateLimit", "RateLimit-Policy"),
    503: ("Retry-After",),
}

_DESCRIPTION = """\
A greeting for everybody, and users on PostgreSQL for who has a bearer token.

Every error is `application/problem+json` (RFC 9457) and carries the `X-Request-Id` of its answer.
Changes say which version they mean (`If-Match`), so that none is lost.
"""


def document(routes: Sequence[Route], version: str) -> dict[str, Any]:
    """Return the document of these routes."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    kinds = [answer.content for route in routes for answer in route.answers if answer.content]
    kinds += [route.body.kind for route in routes if route.body]
    _, schemas = msgspec.json.schema_components([*kinds, ProblemDetails], ref_template=_REF)
    bearer = {
        "type": "http",
        "scheme": "bearer",
        "description": "`bellbuoy token new` makes one; its scopes are users:read and users:write.",
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Bellbuoy api",
            "version": version,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": "users"}, {"name": "service"}, {"name": "greeting"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"bearer": bearer},
            "headers": {name: _header(name) for name in _HEADERS},
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [_tag(route.path)],
        "responses": {
            **{str(answer.status): _response(answer) for answer in route.answers},
            **{str(status): _problem(status, text) for status, text in _problems(route).items()},
        },
    }
    if route.parameters:
        operation["parameters"] = [_parameter(each) for each in route.parameters]
    if route.scope:
        # OpenAPI 3.1 lets http schemes list roles.
        operation["security"] = [{"bearer": [route.scope]}]
    if route.body:
        content = {route.body.media_type: {"schema": _schema(route.body.kind)}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _tag(path: str) -> str:
    first = path.split("/")[1]
    return {"users": "users", "": "greeting", "{name}": "greeting"}.get(first, "service")


def _problems(route: Route) -> dict[int, str]:
    implied = (_OF_SCOPE if route.scope else {}) | (_OF_BODY if route.body else {})
    if any(each.place in {"path", "query"} for each in route.parameters):
        implied |= _URI
    return dict(sorted((implied | dict(route.problems)).items()))


def _parameter(each: Parameter) -> dict[str, Any]:
    parameter: dict[str, Any] = {
        "name": each.name,
        "in": each.place,
        "required": each.required,
        "description": each.description,
        "schema": _schema(each.kind),
    }
    if each.example is not None:
        parameter["example"] = each.example
    return parameter


def _response(answer: Answer) -> dict[str, Any]:
    response: dict[str, Any] = {"description": answer.description}
    if answer.content is not None:
        response["content"] = {answer.media_type: {"schema": _schema(answer.content)}}
    if answer.headers:
        response["headers"] = _header_references(answer.headers)
    if answer.links:
        response["links"] = {
            name: {"operationId": name, "parameters": dict(parameters)}
            for name, parameters in answer.links.items()
        }
    return response


def _problem(status: int, text: str) -> dict[str, Any]:
    title = HTTPStatus(status).phrase
    example = {"title": title, "status": status, "detail": text, "request_id": _REQUEST_ID}
    media = {"schema": _schema(ProblemDetails), "example": example}
    response: dict[str, Any] = {"description": text, "content": {CONTENT_TYPE: media}}
    if headers := _PROBLEM_HEADERS.get(status):
        response["headers"] = _header_references(headers)
    return response


def _header_references(names: Sequence[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _header(name: str) -> dict[str, Any]:
    description, schema = _HEADERS[name]
    return {"description": description, "required": name not in _SOMETIMES, "schema": schema}


def _schema(kind: Any) -> Any:
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_REF)
    return schema
