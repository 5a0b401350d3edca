"""The consequence: which routes fail, and which work."""

import pytest

from bellbuoy.host.statuspage.consequence import consequence
from tests.bellbuoy.host.statuspage.test_verdict import answer, api

UNASKED = "What needs the database answers 503 at once; everything else goes on."


@pytest.mark.parametrize(
    "answers, expected",
    [
        ([], UNASKED),
        ([("/", "200")], UNASKED),
        ([("/users", "503")], "/users answers 503."),
        ([("/a", "503"), ("/b", "503"), ("/", "200")], "/a and /b answer 503; / works."),
        ([("/a", "503"), ("/", "200"), ("/b", "304")], "/a answers 503; / and /b work."),
        ([("/a", "503"), ("/a", "200"), ("/b", "404")], "/a answers 503."),
    ],
)
def test_it_tells_by_the_routes_that_were_asked(
    answers: list[tuple[str, str]], expected: str
) -> None:
    """A route that fails now and then is one that fails."""
    stage = api()
    for route, status in answers:
        answer(stage, route, status)
    assert consequence(stage.interval()) == expected
