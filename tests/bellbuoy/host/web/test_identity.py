"""Ids: taken over where they are well-formed, unique where not."""

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from bellbuoy.host.web.identity import Identities, Trace, trace

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


@pytest.mark.parametrize("given", ["0af7651916cd43dd8448eb211c80319c", "a-b_c.D", "x" * 64])
def test_a_well_formed_request_id_is_taken_over(given: str) -> None:
    """Whoever is in front of us has made one."""
    assert (
        Identities().identify(make_mocked_request("GET", "/", headers={"X-Request-Id": given}))
        == given
    )


@pytest.mark.parametrize("given", ["", "a b", "ä", "x" * 65, 'a"b', "a\x1bb"])
def test_any_other_is_replaced(given: str) -> None:
    """It will stand in logs."""
    headers = {"X-Request-Id": given}
    first = Identities().identify(make_mocked_request("GET", "/", headers=headers))
    second = Identities().identify(make_mocked_request("GET", "/", headers=headers))
    assert given not in {first, second} or not given
    assert first != second


def test_ids_are_unique_among_processes() -> None:
    """Each begins with something random, and counts."""
    request = make_mocked_request("GET", "/")
    several = [Identities() for _ in range(50)]
    ids = {each.identify(request) for each in several for _ in range(100)}
    assert len(ids) == 5000


@pytest.mark.parametrize(
    "field",
    [
        f"00-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-00",
        f"01-{TRACE}-{PARENT}-01",
        f"cc-{TRACE}-{PARENT}-01-what-the-future-brings",
    ],
)
def test_a_trace_is_taken_over(field: str) -> None:
    """Later versions too, as far as this one goes (W3C Trace Context, section 3.2)."""
    request = make_mocked_request("GET", "/", headers={"traceparent": field})
    assert trace(request) == Trace(TRACE, PARENT)


@pytest.mark.parametrize(
    "field",
    [
        "",
        TRACE,
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE}-{PARENT}-01-",
        f"01-{TRACE}-{PARENT}-01.more",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE}-{PARENT}-0x",
        f"0-{TRACE}-{PARENT}-01",
        f" 00-{TRACE}-{PARENT}-01",
    ],
)
def test_what_is_malformed_is_no_trace(field: str) -> None:
    """Nothing is taken over of it."""
    assert trace(make_mocked_request("GET", "/", headers={"traceparent": field})) is None


def test_two_traces_are_none() -> None:
    """Nobody knows which is meant."""
    headers = CIMultiDict([("traceparent", f"00-{TRACE}-{PARENT}-01")] * 2)
    assert trace(make_mocked_request("GET", "/", headers=headers)) is None
