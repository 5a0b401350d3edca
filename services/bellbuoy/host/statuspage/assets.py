"""The assets: the page's own files, read once, each with its type and its tag.

Law of this file: a path is a key of a table and never a path of the file system.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
INDEX = "index.html"


@dataclass(frozen=True)
class Asset:
    """One file.

    Args:
        body: Its bytes.
        content_type: What they are.
        tag: Its ETag, quotes included: a digest of the bytes.
    """

    body: bytes
    content_type: str
    tag: str


@cache
def assets() -> dict[str, Asset]:
    """Return every file of the page by its name; what is no part of it (a licence) is left out."""
    folder = files("bellbuoy.host.statuspage") / "assets"
    found = [*folder.iterdir(), *(folder / "vendor").iterdir()]
    return {
        each.name: _asset(each.read_bytes(), TYPES[suffix])
        for each in found
        if each.is_file() and (suffix := each.name.rpartition(".")[2]) in TYPES
    }


def _asset(body: bytes, content_type: str) -> Asset:
    return Asset(body, content_type, f'"{hashlib.sha256(body).hexdigest()[:20]}"')
