"""The lookup: the series of one snapshot, found by family and label values."""

from collections.abc import Mapping, Sequence

from bellbuoy.metrics import Family
from bellbuoy.snapshot import Series, Snapshot

_Index = Mapping[tuple[str, ...], Sequence[Series]]


class Lookup:
    """Finds series without looking at each of them every time.

    Args:
        snapshot: Whose.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        """Index the families; the series of each are indexed when first asked for."""
        self._families = {family.name: (family, series) for family, series in snapshot.families}
        self._indexes: dict[tuple[str, ...], _Index] = {}

    def family(self, name: str) -> Family | None:
        """Return the family called ``name``, if there is one."""
        found = self._families.get(name)
        return found and found[0]

    def series(self, name: str, labels: Mapping[str, str]) -> Sequence[Series]:
        """Return the series of a family with these labels, in their order; maybe none."""
        found = self._families.get(name)
        if found is None or not labels:
            return found[1] if found else ()
        key = (name, *labels)
        index = self._indexes.get(key)
        if index is None:
            index = self._indexes[key] = _indexed(*found, tuple(labels))
        return index.get(tuple(labels.values()), ())


def _indexed(family: Family, series: Sequence[Series], labels: Sequence[str]) -> _Index:
    places = [family.label_names.index(label) for label in labels]
    index: dict[tuple[str, ...], list[Series]] = {}
    for each in series:
        index.setdefault(tuple([each.labels[place] for place in places]), []).append(each)
    return index
