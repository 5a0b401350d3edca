"""docs/database.md promises nothing without a test."""

import re
from pathlib import Path

from tests.repository.tree import sources, text

DOCUMENT = Path("docs/database.md")


def test_every_test_that_it_names_exists() -> None:
    """Whoever renames a test keeps the promise findable."""
    named = set(re.findall(r"`(test_\w+)`", text(DOCUMENT)))
    code = "".join(text(path) for path in sources(".py", under="tests"))
    existing = set(re.findall(r"^(?:async )?def (test_\w+)", code, re.MULTILINE))
    assert len(named) > 30
    assert named - existing == set()
