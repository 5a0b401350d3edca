"""Percentiles: what Prometheus would say, from the same cells."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellbuoy.percentile import between, percentile

EDGES = (1.0, 2.0, 4.0)


@pytest.mark.parametrize(
    "counts,share,expected",
    [
        ((4, 0, 0, 0), 0.5, 0.5),
        ((4, 0, 0, 0), 1.0, 1.0),
        ((2, 2, 0, 0), 0.75, 1.5),
        ((0, 0, 10, 0), 0.5, 3.0),
        ((0, 0, 10, 0), 0.0, 2.0),
        ((1, 0, 1, 0), 0.5, 1.0),
        ((1, 0, 1, 0), 0.75, 3.0),
        ((0, 0, 0, 7), 0.5, 4.0),
        ((99, 0, 0, 1), 0.999, 4.0),
    ],
)
def test_within_a_bucket_observations_are_evenly_spread(
    counts: tuple[int, ...], share: float, expected: float
) -> None:
    """And above the last edge nothing is known but that edge."""
    assert percentile(EDGES, counts, share) == pytest.approx(expected)


def test_of_nothing_there_is_no_percentile() -> None:
    """NaN, which JSON shows as null."""
    assert math.isnan(percentile(EDGES, (0, 0, 0, 0), 0.5))


def test_the_sum_that_follows_a_series_counts_is_ignored() -> None:
    """The cells of a snapshot's series can be given as they are."""
    assert percentile(EDGES, (4, 0, 0, 0, 1e9), 0.5) == pytest.approx(0.5)


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_a_share_is_between_none_and_all(share: float) -> None:
    """99 is a mistake for 0.99, and not the maximum."""
    with pytest.raises(ValueError, match="is not between"):
        percentile(EDGES, (1, 0, 0, 0), share)


@given(
    counts=st.lists(st.integers(0, 1000), min_size=4, max_size=4),
    shares=st.lists(st.floats(0, 1), min_size=2, max_size=2).map(sorted),
)
def test_a_greater_share_is_never_a_smaller_value(counts: list[int], shares: list[float]) -> None:
    """And all are within the edges."""
    low, high = (percentile(EDGES, counts, share) for share in shares)
    if sum(counts):
        assert 0 <= low <= high + 1e-9 <= EDGES[-1] + 1e-9


def test_what_was_gained_is_what_is_there_less_what_was() -> None:
    """Of two reads of one series."""
    assert between((3, 5, 1), (1, 5, 0)) == [2, 0, 1]


def test_what_began_anew_gained_all_it_has() -> None:
    """A service that was started again counts from zero."""
    assert between((3, 1, 1), (1, 5, 0)) == [3, 1, 1]
