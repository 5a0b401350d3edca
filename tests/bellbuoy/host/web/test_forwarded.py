"""Who the client is: nobody can claim an address unless our own proxies saw it."""

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from bellbuoy.host.web.forwarded import Forwarded, network_of
from bellbuoy.networks import Networks

PROXY = "10.0.0.1"
PROXIES = Forwarded(Networks("10.0.0.0/8, 2001:db8:1::/48", "BUOY_X"))


def client(*fields: str, peer: str = PROXY, forwarded: Forwarded = PROXIES) -> str:
    """Return the client of a request with these header fields."""
    headers: CIMultiDict[str] = CIMultiDict()
    for field in fields:
        headers.add(*field.split(": ", 1))
    request = make_mocked_request("GET", "/", headers=headers)
    return forwarded.client(request.clone(remote=peer))


@pytest.mark.parametrize(
    "fields",
    [
        ["X-Forwarded-For: 192.0.2.1"],
        ["Forwarded: for=192.0.2.1"],
        ["Forwarded: for=10.0.0.9", "X-Forwarded-For: 10.0.0.9"],
    ],
)
@pytest.mark.parametrize("peer", ["198.51.100.7", "2001:db8:2::7", ""])
def test_a_stranger_speaks_for_itself_only(fields: list[str], peer: str) -> None:
    """Whatever it says."""
    assert client(*fields, peer=peer) == peer


def test_by_default_everybody_is_a_stranger() -> None:
    """Loopback too."""
    nobody = Forwarded(Networks("", "BUOY_X"))
    assert client("X-Forwarded-For: 192.0.2.1", peer="127.0.0.1", forwarded=nobody) == "127.0.0.1"


@pytest.mark.parametrize(
    "fields, expected",
    [
        (["X-Forwarded-For: 192.0.2.1"], "192.0.2.1"),
        (["X-Forwarded-For: 203.0.113.9, 192.0.2.1"], "192.0.2.1"),
        (["X-Forwarded-For: 203.0.113.9, 192.0.2.1, 10.1.1.1"], "192.0.2.1"),
        (["X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 192.0.2.1"], "192.0.2.1"),
        (["X-Forwarded-For: 192.0.2.1:8080"], "192.0.2.1"),
        (["X-Forwarded-For: 2001:db8::7"], "2001:db8::7"),
        (["X-Forwarded-For: [2001:DB8::7]:80"], "2001:db8::7"),
        (["Forwarded: for=192.0.2.1;proto=https;by=10.0.0.1"], "192.0.2.1"),
        (["Forwarded: proto=https; For=192.0.2.1"], "192.0.2.1"),
        (["Forwarded: for=203.0.113.9, for=192.0.2.1, for=10.1.1.1"], "192.0.2.1"),
        (['Forwarded: for="[2001:db8::7]:4711"'], "2001:db8::7"),
        (['Forwarded: for="192.0.2.1:80";host="a,b;c"'], "192.0.2.1"),
        (["Forwarded: for=192.0.2.1", "X-Forwarded-For: 203.0.113.9, 192.0.2.1"], "192.0.2.1"),
        (["X-Forwarded-For: 10.0.0.3, 2001:db8:1::3"], "10.0.0.3"),
    ],
)
def test_the_nearest_that_is_no_proxy_is_the_client(fields: list[str], expected: str) -> None:
    """However it is spelt; a chain of nothing but proxies begins at the furthest."""
    assert client(*fields) == expected


@pytest.mark.parametrize(
    "fields, expected",
    [
        ([], PROXY),
        (["X-Forwarded-For: "], PROXY),
        (["X-Forwarded-For: unknown"], PROXY),
        (["X-Forwarded-For: 192.0.2.1, nonsense, 10.1.1.1"], "10.1.1.1"),
        (["X-Forwarded-For: 192.0.2.1,"], PROXY),
        (["X-Forwarded-For: 192.0.2.1, 999.1.1.1"], PROXY),
        (["X-Forwarded-For: 192.0.2.\N{ARABIC-INDIC DIGIT ONE}"], PROXY),
        (["Forwarded: for=unknown"], PROXY),
        (["Forwarded: for=_hidden"], PROXY),
        (["Forwarded: proto=https"], PROXY),
        (["Forwarded: for=192.0.2.1;for=192.0.2.2"], PROXY),
        (["Forwarded: for=192.0.2.1;"], PROXY),
        (["Forwarded: for =192.0.2.1"], PROXY),
        (["Forwarded: for=2001:db8::7"], PROXY),
        (['Forwarded: for="192.0.2.1'], PROXY),
        (['Forwarded: for=192.0.2.1;x="', "Forwarded: for=192.0.2.2"], PROXY),
        (['Forwarded: for="192.0.2.9, for=192.0.2.8", for=10.1.1.1'], "10.1.1.1"),
        (["Forwarded: for=192.0.2.9", "X-Forwarded-For: 192.0.2.1"], PROXY),
    ],
)
def test_what_is_malformed_ends_at_the_last_trusted_hop(fields: list[str], expected: str) -> None:
    """Nothing is guessed; two fields that disagree are no better than one that is broken."""
    assert client(*fields) == expected


@given(st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=60))
def test_a_client_cannot_choose_what_it_is_taken_for(forged: str) -> None:
    """Whatever it sends, a proxy that adds to the same field tells the truth on the right."""
    for name, seen in (("X-Forwarded-For", "192.0.2.1"), ("Forwarded", "for=192.0.2.1")):
        told = client(f"{name}: {forged}, {seen}", f"{name}: {seen}")
        assert told in {"192.0.2.1", PROXY}
    other = client(f"Forwarded: {forged}", "X-Forwarded-For: 192.0.2.1")
    assert other in {"192.0.2.1", PROXY}


@pytest.mark.parametrize(
    "address, network",
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:0:1:2:3:4:5", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::ffff:c000:202", "192.0.2.2"),
        ("", ""),
        ("x:y", "x:y"),
    ],
)
def test_an_ipv6_host_is_counted_by_its_network(address: str, network: str) -> None:
    """It can take any address in there, one for each request."""
    assert network_of(address) == network
