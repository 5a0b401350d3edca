"""Networks: who is in one, and what is none."""

import pytest

from bellbuoy.errors import SettingsError
from bellbuoy.networks import Networks


@pytest.mark.parametrize(
    "address, is_held",
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("11.1.2.3", False),
        ("2001:db8::7", True),
        ("2001:db9::7", False),
        ("", False),
        ("nonsense", False),
    ],
)
def test_an_address_is_in_its_networks_only(address: str, is_held: bool) -> None:  # noqa: FBT001
    """However the listener shows it; a unix socket's peer has none."""
    assert Networks("10.0.0.0/8, 2001:db8::/32", "BUOY_X").hold(address) == is_held


@pytest.mark.parametrize("text", ["", " "])
def test_nobody_is_in_no_network(text: str) -> None:
    """The default trusts nobody."""
    assert not Networks(text, "BUOY_X").hold("127.0.0.1")


@pytest.mark.parametrize("text", ["10.0.0.1/8", "x", "10.0.0.0/8,", "10.0.0.0/33"])
def test_what_is_no_network_is_named(text: str) -> None:
    """With its variable."""
    with pytest.raises(SettingsError, match=r"^BUOY_X="):
        Networks(text, "BUOY_X")
