"""A route: what follows from what is said of it."""

from api.greeting import greet
from api.route import Answer, Route


def test_get_answers_head_too() -> None:
    """Others answer themselves."""
    for method, methods in (("GET", ("GET", "HEAD")), ("PUT", ("PUT",))):
        route = Route(method, "/", greet, "x", "", (Answer(200, ""),))
        assert route.methods == methods


def test_a_segment_may_hold_anything_but_a_slash() -> None:
    """Aiohttp's own pattern leaves braces out."""
    route = Route("GET", "/users/{id}", greet, "x", "", (Answer(200, ""),))
    assert route.pattern == "/users/{id:[^/]+}"
