"""What clients were told about their writes, and whether the database agrees.

The check of Jepsen for a set: a write was acknowledged, refused, or nobody knows. What was
acknowledged is there; what was refused is not; nothing else is, and nothing twice.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class History:
    """What clients were told.

    Args:
        ok: Acknowledged.
        failed: Refused: "nothing was done".
        unknown: Neither; whoever was cut off cannot tell.
    """

    ok: set[int] = field(default_factory=set)
    failed: set[int] = field(default_factory=set)
    unknown: set[int] = field(default_factory=set)

    def violations(self, final: Iterable[int]) -> list[str]:
        """Return every promise that ``final``, the rows in the end, breaks."""
        counts = Counter(final)
        there = set(counts)
        broken = {
            "acknowledged and lost": self.ok - there,
            "refused and done all the same": self.failed & there,
            "never asked for": there - self.ok - self.unknown - self.failed,
            "done twice": {each for each, times in counts.items() if times > 1},
        }
        return [f"{promise}: {sorted(those)[:10]}" for promise, those in broken.items() if those]
