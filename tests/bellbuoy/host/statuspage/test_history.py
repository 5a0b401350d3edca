"""The history: what was wrong, from when to when, and never more than fits."""

from bellbuoy.host.statuspage.finding import Finding
from bellbuoy.host.statuspage.history import History

DOWN = Finding("database", "bad", "PostgreSQL does not answer", "", "")
DEATH = Finding("deaths", "warn", "A worker died", "", "")


def add(history: History, at: float, *findings: Finding) -> None:
    """Note one moment without numbers."""
    history.add(at, {}, {}, findings)


def test_what_goes_on_keeps_the_time_of_its_begin() -> None:
    """However often it is seen."""
    history = History()
    for at in (10.0, 11.0, 12.0):
        add(history, at, DOWN)
    assert [(each.began, each.ended) for each in history.current] == [(10.0, None)]
    assert history.recent(12.0) is None


def test_what_is_over_is_remembered_with_its_end() -> None:
    """And is worth a word for a minute."""
    history = History()
    add(history, 10.0, DOWN)
    add(history, 14.0)
    assert history.current == []
    assert [(each.began, each.ended) for each in history.incidents] == [(10.0, 14.0)]
    assert history.recent(20.0) == history.incidents[0]
    assert history.recent(75.0) is None


def test_what_comes_again_is_another_incident() -> None:
    """Newest first."""
    history = History()
    add(history, 10.0, DOWN)
    add(history, 11.0)
    add(history, 12.0, DOWN, DEATH)
    assert [each.began for each in history.incidents] == [12.0, 12.0, 10.0]
    assert [each.finding.key for each in history.current] == ["database", "deaths"]


def test_the_numbers_may_know_of_an_earlier_begin() -> None:
    """A worker that has been blocked for three seconds before it was noticed."""
    history = History()
    add(history, 10.0, Finding("blocked", "warn", "", "", "", age=3.0))
    assert history.current[0].began == 7.0


def test_the_level_of_a_moment_is_that_of_the_worst() -> None:
    """For the bands in the charts."""
    history = History()
    add(history, 1.0, DOWN, DEATH)
    add(history, 2.0)
    assert [sample.level for sample in history.samples] == ["bad", None]


def test_the_oldest_leave_when_it_is_full() -> None:
    """Memory is bounded whatever happens."""
    history = History(samples=3, incidents=2)
    for at in range(10):
        add(history, at, *([DOWN] if at % 2 else []))
    assert [sample.at for sample in history.samples] == [7, 8, 9]
    assert [each.began for each in history.incidents] == [9, 7]
