"""The echo service's metric families."""

from echo.families import CLOSED, FAMILIES


def test_every_family_is_the_service_s_own() -> None:
    """By its name."""
    assert [family.name for family in FAMILIES if not family.name.startswith("echo_")] == []


def test_every_end_has_its_series() -> None:
    """A connection ends for one of these reasons and no other."""
    reasons = {"client", "error", "idle_timeout", "write_timeout", "drain", "abort"}
    assert set(CLOSED.labels["reason"]) == reasons
