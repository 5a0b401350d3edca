"""Percentiles out of a histogram's cells, as Prometheus' ``histogram_quantile`` computes them.

Law of this file: within a bucket observations are taken as evenly spread, so a result is as exact
as its bucket is narrow; what lies above the last edge is said to be that edge.
"""

import math
from collections.abc import Sequence
from itertools import accumulate


def percentile(edges: Sequence[float], counts: Sequence[float], share: float) -> float:
    """Return the value that ``share`` of all observations do not exceed.

    Args:
        edges: Upper edges of the buckets, ascending, without ``+Inf``; all above zero.
        counts: Observations in each bucket, not accumulated, and last those above all edges. A
            series' cells will do: what follows, such as the sum, is ignored.
        share: From 0 to 1; 0.99 is the 99th percentile.

    Returns:
        The value in the unit of ``edges``; NaN when nothing was observed.

    Raises:
        ValueError: ``share`` is no share.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"{share} is not between 0 and 1")
    counts = counts[: len(edges) + 1]
    total = sum(counts)
    if total <= 0:
        return math.nan
    rank = share * total
    below = lower = 0.0
    for edge, count, reached in zip(edges, counts, accumulate(counts), strict=False):
        if count > 0 and reached >= rank:
            return lower + (edge - lower) * (rank - below) / count
        below, lower = reached, edge
    return edges[-1]


def between(now: Sequence[float], before: Sequence[float]) -> list[float]:
    """Return what a histogram's cells gained since ``before``; for percentiles of a while.

    A cell that fell is a service that was started again: all it has is new.
    """
    restarted = any(new < old for new, old in zip(now, before, strict=True))
    return list(now) if restarted else [a - b for a, b in zip(now, before, strict=True)]
