"""The echo service's metric families."""

from echo.families import CLOSED, FAMILIES


def test_every_family_is_the_service_s_own() -> None:
    """By its name."""
    assert [family.name for family in FAMILIES if not family.name.startswith("echo_")] == []


def test_every_end_has_its_series() -> None:
    """A connection ends for one of these reasons and no other."""
    themselves = {"client", "error"}
    timeouts = {"idle_timeout", "write_timeout", "half_close_timeout", "max_age"}
    ours = {"write_budget", "drain", "abort"}
    assert set(CLOSED.labels["reason"]) == themselves | timeouts | ours
