"""Name tables: bounded, shared, and the same for every process."""

import fcntl
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellbuoy.metrics import OTHER, NameTable, counter
from bellbuoy.names import ENTRY_BYTES, Names
from bellbuoy.scoreboard import Scoreboard
from tests.bellbuoy.forked import Child

TASKS = NameTable("tasks", ("task",), 4)
ROUTES = NameTable("routes", ("route", "status"), 4)
MANY = NameTable("many", ("name",), 300)

NO_LOCK = -1
"""A lock that cannot be taken: whoever tries raises."""


def local(table: NameTable, lock: int | None = None) -> Names:
    """Return an empty table in this process's memory."""
    return Names(table, memoryview(bytearray(Names.size(table))), lock)


def shared(table: NameTable) -> Names:
    """Return an empty table that forked processes share."""
    return Scoreboard([counter("names_total", "…", names=table)], slots=1).names[0]


def again(names: Names) -> Names:
    """Return the same table as a process sees it that knows nothing of it yet."""
    return Names(names.table, names._memory, names._lock)


def test_names_get_places_in_the_order_they_come() -> None:
    """And keep them."""
    names = local(TASKS)
    assert [names.index(name) for name in ("a", "b", "a", "")] == [0, 1, 0, 2]
    assert names.entries() == [("a",), ("b",), ("",), (OTHER,)]


def test_what_does_not_fit_is_other() -> None:
    """The table never grows, and those who were there first stay."""
    names = local(TASKS)
    assert [names.index(str(n)) for n in range(6)] == [0, 1, 2, 3, 4, 4]
    assert names.index("0") == 0
    assert names.entries()[-2:] == [("3",), (OTHER,)]


def test_other_itself_takes_no_place() -> None:
    """Counting under `other` on purpose is the same series."""
    names = local(ROUTES)
    assert names.index(OTHER, OTHER) == ROUTES.capacity
    assert names.entries() == [(OTHER, OTHER)]


def test_an_entry_may_have_several_values() -> None:
    """One of them may well be `other`."""
    names = local(ROUTES)
    assert [names.index("/users/{id}", "200"), names.index(OTHER, "200")] == [0, 1]
    assert again(names).entries() == [("/users/{id}", "200"), (OTHER, "200"), (OTHER, OTHER)]


def test_a_later_process_finds_the_same_places() -> None:
    """A replacement worker counts where its predecessor did."""
    names = local(TASKS)
    names.index("first")
    later = again(names)
    assert names.index("second") == later.index("second") == 1
    assert later.index("first") == 0


@pytest.mark.parametrize("length", [0, 1, ENTRY_BYTES - 8])
def test_a_name_up_to_the_length_of_an_entry_fits(length: int) -> None:
    """The bound itself is within it."""
    names = local(TASKS)
    assert names.index("x" * length) == 0
    assert again(names).entries()[0] == ("x" * length,)


@pytest.mark.parametrize("name", ["x" * (ENTRY_BYTES - 7), "ä" * 77, "a\x1fb"])
def test_a_name_that_no_entry_can_hold_is_other(name: str) -> None:
    """Too long in bytes, or holding the separator; the table is as before."""
    names = local(TASKS)
    assert names.index(name) == TASKS.capacity
    assert names.entries() == [(OTHER,)]


@pytest.mark.parametrize("values", [(), ("a",), ("a\x1fb",), ("a", "b\x1f"), ("a", "b", "c")])
def test_other_than_one_value_a_label_is_other(values: tuple[str, ...]) -> None:
    """A separator cannot make two values of one."""
    names = local(ROUTES)
    assert names.index(*values) == ROUTES.capacity
    assert names.entries() == [(OTHER, OTHER)]


def test_a_lone_surrogate_is_a_question_mark_everywhere() -> None:
    """The process that registers it and one that reads it agree on name and place."""
    names = local(TASKS)
    assert [names.index("bad\udc80"), names.index("bad?"), names.index("good")] == [0, 0, 1]
    assert names.entries() == again(names).entries() == [("bad?",), ("good",), (OTHER,)]


@given(st.lists(st.text(st.characters(), max_size=3), max_size=12))
def test_any_values_leave_all_processes_in_agreement(texts: list[str]) -> None:
    """Whatever is registered, by whichever of two processes, has one place, and is listed there."""
    one = local(TASKS)
    two = again(one)
    for number, text in enumerate(texts):
        place = (one, two)[number % 2].index(text)
        assert one.index(text) == two.index(text) == again(one).index(text) == place
        assert 0 <= place <= TASKS.capacity
    assert one.entries() == two.entries() == again(one).entries()
    assert len(set(one.entries())) == len(one.entries()) <= TASKS.capacity + 1


def test_a_known_name_needs_no_lock() -> None:
    """Counting waits for nobody."""
    names = local(TASKS)
    names.index("known")
    later = Names(TASKS, names._memory, NO_LOCK)
    assert later.index("known") == 0
    with pytest.raises((OSError, ValueError)):
        later.index("new")


def test_a_full_table_needs_no_lock() -> None:
    """Names without a place come for ever; each costs no system call."""
    names = local(TASKS)
    for number in range(TASKS.capacity):
        names.index(str(number))
    assert Names(TASKS, names._memory, NO_LOCK).index("late") == TASKS.capacity


def test_processes_that_register_at_once_agree() -> None:
    """Four processes, the same hundred names in four orders: one place for each name."""
    names = shared(MANY)
    wanted = [str(number) for number in range(100)]

    def register(turn: int, child: Child) -> None:
        child.hold()
        mine = {name: names.index(name) for name in wanted[turn:] + wanted[:turn]}
        child.say()
        child.hold()
        assert mine == {name: again(names).index(name) for name in wanted}

    with ExitStack() as stack:
        turns = [partial(register, turn) for turn in (0, 25, 50, 75)]
        children = [stack.enter_context(Child(turn)) for turn in turns]
        for child in children:
            child.release()
        for child in children:
            child.hear()
        for child in children:
            child.release()
        assert [child.wait() for child in children] == [0, 0, 0, 0]
    assert sorted(names.entries()[:-1]) == sorted((name,) for name in wanted)


def test_a_name_that_came_while_waiting_for_the_lock_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another process was faster; there are no two places for one name."""
    names = local(TASKS)

    @contextmanager
    def lock_that_another_process_has() -> Iterator[None]:
        assert again(names).index("wanted") == 0
        yield

    monkeypatch.setattr(names, "_locked", lock_that_another_process_has)
    assert names.index("wanted") == 0
    assert names.entries() == [("wanted",), (OTHER,)]


def test_a_killed_holder_of_the_lock_blocks_nobody() -> None:
    """The kernel lets go of it."""
    names = shared(TASKS)

    def take_and_hold(child: Child) -> None:
        with names._locked():
            child.say()
            child.hold()

    with Child(take_and_hold) as child:
        child.hear()
        with pytest.raises(BlockingIOError):
            fcntl.lockf(cast("int", names._lock), fcntl.LOCK_EX | fcntl.LOCK_NB)
        child.kill()
        assert names.index("after") == 0


def test_an_entry_that_was_never_published_is_written_anew() -> None:
    """A process was killed after it wrote the name and before it stored the count."""
    names = local(TASKS)
    names.index("first")
    start = 8 + ENTRY_BYTES
    names._memory[start : start + 11] = struct.pack("@Q", 3) + b"\xff\xff\xff"
    assert again(names).entries() == [("first",), (OTHER,)]
    assert again(names).index("second") == 1
    assert names.entries() == [("first",), ("second",), (OTHER,)]
