"""The shortage: who has no connections left, and what to do."""

from bellbuoy.database.measures import ACQUIRE_TIMEOUTS
from bellbuoy.host.statuspage.shortage import shortage
from tests.bellbuoy.host.statuspage.test_blink import ERRORS
from tests.bellbuoy.host.statuspage.test_verdict import api, words


def test_a_full_postgresql_is_no_outage_and_has_words_of_its_own() -> None:
    """It answers all the time, with SQLSTATE 53300."""
    stage = api()
    stage.counts[0].counter(ERRORS, operation="connect", sqlstate_class="53").inc(7)
    assert words(stage) == [("bad", "PostgreSQL is full: it refuses new connections")]
    (finding,) = shortage(stage.interval())
    for remedy in ("max_connections", "workers", "BUOY_DB_POOL_SIZE"):
        assert remedy in finding.look


def test_a_statement_that_meets_a_full_disk_is_none() -> None:
    """It had its connection."""
    stage = api()
    stage.counts[0].counter(ERRORS, operation="users.get", sqlstate_class="53").inc()
    assert words(stage) == []


def test_an_exhausted_pool_is_told_with_its_rate() -> None:
    """And not while PostgreSQL is away, which says more."""
    stage = api()
    stage.counts[0].counter(ACQUIRE_TIMEOUTS).inc(3)
    (finding,) = shortage(stage.interval())
    assert finding.what == "The database pool is exhausted"
    assert finding.meaning.startswith("3 statements a second")
    away = api(up=0.0)
    away.counts[0].counter(ACQUIRE_TIMEOUTS).inc(3)
    assert list(shortage(away.interval())) == []
