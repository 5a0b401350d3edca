"""The guard: operators, probes and Prometheus pass, web pages do not, writers know the token."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from bellbuoy.host.guard import CLOSED, Guard
from bellbuoy.host.web import Problem

TOKEN = "right"  # noqa: S105 - a test's


def refusal(method: str, /, **headers: str) -> int | None:
    """Return the status with which a request is refused, ``None`` if it passes."""
    sent = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    try:
        Guard(["Ops.Example.com"], TOKEN).check(method, sent)
    except Problem as problem:
        return problem.status
    return None


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:9888",
        "10.1.2.3",
        "[::1]:9888",
        "[fe80::1]",
        "localhost:9888",
        "echo:9888",
        "bellbuoy-api-6d5f-x2x:9080",
        "bellbuoy-api.bellbuoy.svc:9080",
        "bellbuoy-api.bellbuoy.svc.cluster.local.:9080",
        "ip-10-1-2-3.ec2.internal",
        "ops.example.com:443",
        "OPS.example.com.",
        "",
    ],
)
def test_who_comes_by_a_name_that_no_page_can_have_may_read(host: str) -> None:
    """Addresses, compose services, pods, names of a cluster and those in the settings."""
    assert refusal("GET", host=host) is None


def test_a_request_without_a_host_may_read() -> None:
    """No browser sends one; a load balancer's health check does."""
    assert refusal("GET") is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "example.com",
        "www.ops.example.com",
        "127.0.0.1.evil.example",
        "svc.evil.example",
        "evil.example:9888",
        "localhost@evil.example",
        "evil.example#.svc",
        "a b",
        "[::1].evil.example",
        "1.2.3.4.5",
    ],
)
def test_any_other_name_is_refused(host: str) -> None:
    """It may be a web page's own, that now means our address."""
    assert refusal("GET", host=host) == 421


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://echo:1234", "http://echo.evil.example", ""]
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_page_of_another_origin_neither_reads_nor_writes(method: str, origin: str) -> None:
    """Even with the token, which it may have been given: another port is another origin, too."""
    bearer = f"Bearer {TOKEN}"
    assert refusal(method, host="echo:9888", origin=origin, authorization=bearer) == 403


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_our_own_page_reads_and_with_the_token_writes(scheme: str) -> None:
    """Behind a proxy that ends TLS as well."""
    ours = {"host": "echo:9888", "origin": f"{scheme}://Echo:9888"}
    assert refusal("GET", **ours) is None
    assert refusal("PUT", **ours, authorization=f"Bearer {TOKEN}") is None


def test_a_page_cannot_embed_what_it_may_not_read() -> None:
    """A picture, a script or a frame carries no origin, but says where it comes from."""
    asked = {"host": "localhost", "Sec_Fetch_Site": "cross-site"}
    assert refusal("GET", **asked, Sec_Fetch_Mode="no-cors", Sec_Fetch_Dest="script") == 403
    assert refusal("GET", **asked, Sec_Fetch_Mode="navigate", Sec_Fetch_Dest="iframe") == 403
    asked["Sec_Fetch_Site"] = "same-site"
    assert refusal("GET", **asked, Sec_Fetch_Mode="no-cors", Sec_Fetch_Dest="image") == 403


def test_a_person_may_follow_a_link_from_another_page() -> None:
    """A dashboard or a runbook links here, and sees nothing of what the person then sees."""
    link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    assert refusal("GET", host="localhost", **link, Sec_Fetch_Dest="document") is None
    assert refusal("GET", host="localhost", Sec_Fetch_Site="none") is None
    assert refusal("GET", host="localhost", Sec_Fetch_Site="same-origin") is None


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH", "BREW"])
def test_where_no_token_is_named_nothing_is_written(method: str) -> None:
    """And the answer says how that is changed."""
    with pytest.raises(Problem) as refused:
        Guard().check(method, {"Host": "echo", "Authorization": "Bearer x"})
    assert (refused.value.status, refused.value.detail) == (403, CLOSED)
    assert "BUOY_ADMIN_TOKEN_FILE" in CLOSED


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer \udcff"]
)
def test_a_wrong_token_writes_nothing(given: str) -> None:
    """401 asks for the right one."""
    assert refusal("PUT", host="echo", authorization=given) == 401


@pytest.mark.parametrize("given", [f"Bearer {TOKEN}", f"bearer  {TOKEN} "])
def test_the_right_token_writes(given: str) -> None:
    """From anywhere but a web page."""
    assert refusal("PUT", host="echo:9888", authorization=given) is None


def test_reading_needs_no_token() -> None:
    """Not even a guard that has none."""
    Guard().check("HEAD", {"Host": "echo"})


@given(st.text(), st.text(), st.text())
def test_no_header_makes_it_fail(host: str, origin: str, authorization: str) -> None:
    """A refusal or a pass, whatever was sent."""
    refusal("PUT", host=host, origin=origin, authorization=authorization)
