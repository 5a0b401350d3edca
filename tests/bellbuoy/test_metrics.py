"""Families are data, and their cells follow from it."""

import itertools
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellbuoy.metrics import Family, Kind, Layout, NameTable, counter, gauge, histogram

TASKS = NameTable("tasks", ("task",), 3)

POOL = [
    Family(f"{kind}_{number}", kind, "…", dict(labels), names, buckets)
    for kind in typing.get_args(Kind)
    for number, (labels, names, buckets) in enumerate(
        itertools.product(
            [(), (("m", ("a",)),), (("m", ("a", "b")), ("n", ("a", "b", "c")))],
            [None, TASKS],
            [(), (1.0, 2.0)] if kind == "histogram" else [()],
        )
    )
]
"""Families of every kind, with and without labels, run-time names and buckets."""

DECLARED = st.lists(st.sampled_from(POOL), max_size=8, unique=True)


@given(DECLARED)
def test_no_two_numbers_share_a_cell(declared: list[Family]) -> None:
    """Every number of every series has a cell of its own, and no cell is left over."""
    layout = Layout(declared)
    cells = [
        layout.series(family, entry, fixed) + offset
        for family in declared
        for entry in range(family.names.capacity + 1 if family.names else 1)
        for fixed in range(family.fixed)
        for offset in range(family.width)
    ]
    assert sorted(cells) == list(range(layout.size))


@given(DECLARED)
def test_the_cells_of_a_family_are_its_own(declared: list[Family]) -> None:
    """What is reset for one family is not another's."""
    layout = Layout(declared)
    ranges = [layout.cells(family) for family in declared]
    assert list(itertools.chain(*ranges)) == list(range(layout.size))


def test_label_values_and_places_agree() -> None:
    """The place of a combination is where the combinations, in order, show it."""
    for family in POOL:
        combinations = (zip(family.labels, each, strict=True) for each in family.fixed_values())
        places = [family.fixed_index(dict(each)) for each in combinations]
        assert places == list(range(family.fixed))


def test_a_histogram_is_as_wide_as_its_buckets_and_two() -> None:
    """`+Inf` and the sum come with every histogram."""
    assert histogram("h_seconds", "…", buckets=(1.0, 2.0)).width == 4
    assert counter("c_total", "…").width == gauge("g", "…").width == 1


def test_a_run_time_name_has_room_for_other() -> None:
    """The table's capacity and one more, for each combination of the fixed labels."""
    family = counter("c_total", "…", labels={"outcome": ("a", "b")}, names=TASKS)
    assert family.cells == (3 + 1) * 2
    assert family.label_names == ("task", "outcome")


def test_an_undeclared_label_value_is_a_mistake() -> None:
    """It is told where it is made, not exported."""
    family = counter("c_total", "…", labels={"outcome": ("a", "b")})
    with pytest.raises(ValueError, match="not in tuple"):
        family.fixed_index({"outcome": "c"})
    with pytest.raises(KeyError, match="outcome"):
        family.fixed_index({})


def test_one_name_is_one_family() -> None:
    """Two services' tables cannot overwrite each other."""
    with pytest.raises(ValueError, match="twice_total is declared twice"):
        Layout([counter("twice_total", "…"), counter("twice_total", "…")])


def test_families_share_a_name_table() -> None:
    """One place in shared memory for each table, in the order of the declarations."""
    routes = NameTable("routes", ("route",), 5)
    declared = [
        counter("a_total", "…", names=TASKS),
        counter("b_total", "…"),
        counter("c_total", "…", names=routes),
        gauge("d", "…", names=TASKS),
    ]
    assert Layout(declared).tables == (TASKS, routes)


@pytest.mark.parametrize(
    "family, resets",
    [
        (counter("c_total", "…"), False),
        (histogram("h_seconds", "…"), False),
        (gauge("g", "…"), True),
        (gauge("g", "…", merge="min"), True),
        (gauge("g_timestamp_seconds", "…", merge="latest"), False),
    ],
    ids=lambda value: f"{value.kind} {value.merge}" if isinstance(value, Family) else None,
)
def test_only_gauges_end_with_their_process(family: Family, resets: bool) -> None:  # noqa: FBT001
    """Except timestamps: the newest of all times stays the newest."""
    assert family.resets is resets


@pytest.mark.parametrize("kind", ["counter", "gauge", "histogram"])
def test_a_family_can_be_a_key(kind: Kind) -> None:
    """Equal declarations are one key, though their labels are a dictionary."""
    one, two = (Family("f", kind, "…", labels={"l": ("a",)}) for _ in range(2))
    assert {one: 1}[two] == 1
