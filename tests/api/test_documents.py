"""The documents: the description, the page, and what is vendored for it."""

import hashlib
from pathlib import Path

import pytest

from api.documents import VENDOR, VERSION
from tests.api.serving import api_settings, served_api


def test_what_is_vendored_is_what_its_makers_shipped() -> None:
    """Each file has the hash that was noted when it came, and there is no other."""
    lines = (line.split("  ", 1) for line in (VENDOR / "SHA256SUMS").read_text().splitlines())
    noted = {name: digest for digest, name in lines}
    there = {path.name for path in VENDOR.iterdir()} - {"SHA256SUMS", "VERSION", "README.md"}
    assert there == noted.keys()
    for name, digest in noted.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest, name


def test_the_vendored_licence_is_there() -> None:
    """Apache-2.0, with the notice that it asks to be kept."""
    assert "Apache License" in (VENDOR / "LICENSE").read_text()
    assert "swagger-ui" in (VENDOR / "NOTICE").read_text()


async def test_the_page_consists_of_what_is_here(tmp_path: Path) -> None:
    """Every file it names is served; it names nothing on other hosts, and may not load it."""
    async with served_api(api_settings(tmp_path)) as served:
        page = await served.ask("/docs")
        text = page.body.decode()
        named = [part.split('"')[0] for part in text.split('="/')[1:]]
        files = {name: await served.ask(f"/{name}") for name in named}
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "//" not in text
    assert {reply.status for reply in files.values()} == {200}
    assert len(files) == 3
    for reply in (page, *files.values()):
        policy = reply.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; ")
        assert "frame-ancestors 'none'" in policy


async def test_a_file_that_is_asked_for_by_version_is_kept_for_ever(tmp_path: Path) -> None:
    """Another way it is asked for again."""
    async with served_api(api_settings(tmp_path)) as served:
        kept = await served.ask(f"/docs/swagger-ui.css?v={VERSION}")
        asked = await served.ask("/docs/swagger-ui.css?v=0")
    assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert asked.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["/docs/x", "/docs/..%2Fdocuments.py", "/docs/%2Fetc%2Fpasswd", "/docs/SHA256SUMS"]
)
async def test_nothing_else_is_served_from_the_disk(tmp_path: Path, path: str) -> None:
    """The files are a table, and no folder."""
    async with served_api(api_settings(tmp_path)) as served:
        reply = await served.ask(path)
    assert (reply.status, reply.content["status"]) == (404, 404)


async def test_the_document_is_not_sent_twice(tmp_path: Path) -> None:
    """It has a tag."""
    async with served_api(api_settings(tmp_path)) as served:
        first = await served.ask("/openapi.json")
        second = await served.ask("/openapi.json", headers={"If-None-Match": first.headers["etag"]})
    assert first.content["openapi"] == "3.1.0"
    assert (first.body[-2:], second.status, second.body) == (b"}\n", 304, b"")
