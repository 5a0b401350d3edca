"""The OpenAPI document: complete, and the same as the types that validate."""

from pathlib import Path
from typing import Any

import pytest

from tests.api.serving import api_settings, served_api

PROBLEM = {"$ref": "#/components/schemas/ProblemDetails"}


@pytest.fixture
async def document(tmp_path: Path) -> dict[str, Any]:
    """The document that the api serves."""
    async with served_api(api_settings(tmp_path)) as served:
        content: dict[str, Any] = (await served.ask("/openapi.json")).content
    return content


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Return method, path and operation of all."""
    return [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


async def test_every_error_is_described_as_a_problem(document: dict[str, Any]) -> None:
    """But for /health, whose 503 is no error; each has an example."""
    for method, path, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) >= 400 and path != "/health":
                content = response["content"]["application/problem+json"]
                assert content["schema"] == PROBLEM, (method, path, status)
                assert content["example"]["status"] == int(status)


async def test_what_needs_a_token_says_which_scope(document: dict[str, Any]) -> None:
    """And that it answers 401, 403 and 429."""
    scopes = {
        operation["operationId"]: operation["security"][0]["bearer"]
        for _, path, operation in operations(document)
        if path.startswith("/users")
    }
    assert scopes == {
        "listUsers": ["users:read"],
        "getUser": ["users:read"],
        "createUser": ["users:write"],
        "replaceUser": ["users:write"],
        "patchUser": ["users:write"],
        "deleteUser": ["users:write"],
    }
    for _, _, operation in operations(document):
        if "security" in operation:
            assert {"401", "403", "429"} <= operation["responses"].keys()


async def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    """To schemas, headers and operations."""

    def look(node: Any) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                target: Any = document
                for part in node["$ref"].removeprefix("#/").split("/"):
                    target = target[part]
            for value in node.values():
                look(value)
        elif isinstance(node, list):
            for value in node:
                look(value)

    look(document)
    names = {operation["operationId"] for _, _, operation in operations(document)}
    links = {
        link["operationId"]
        for _, _, operation in operations(document)
        for response in operation["responses"].values()
        for link in response.get("links", {}).values()
    }
    assert links
    assert links <= names


async def test_bodies_are_closed_and_bounded(document: dict[str, Any]) -> None:
    """What the decoder refuses, the schema refuses."""
    schemas = document["components"]["schemas"]
    for name in ("NewUser", "UserPatch"):
        assert schemas[name]["additionalProperties"] is False
        assert schemas[name]["properties"]["name"]["maxLength"] == 200
        assert "pattern" in schemas[name]["properties"]["email"]
    assert schemas["NewUser"]["required"] == ["name", "email"]
    assert "required" not in schemas["UserPatch"] or schemas["UserPatch"]["required"] == []
