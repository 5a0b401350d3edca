"""A text block shows a whole text or none."""

import pytest

from bellbuoy.metrics import counter
from bellbuoy.scoreboard import Scoreboard
from bellbuoy.textblock import TextBlock
from tests.bellbuoy.forked import Child


@pytest.fixture
def block() -> TextBlock:
    """Return a fresh block of 48 bytes."""
    return TextBlock(memoryview(bytearray(64)))


def tear(block: TextBlock) -> None:
    """Leave the block as a process does that is killed while it writes."""
    block._header[0] |= 1
    block._header[1] = 40
    block._text[:4] = b"half"


def test_a_fresh_block_has_no_text(block: TextBlock) -> None:
    """Shared memory begins as zeros."""
    assert block.read() == b""


def test_a_text_replaces_the_one_before(block: TextBlock) -> None:
    """Nothing of a longer one shows behind a shorter one."""
    assert block.write(b"a long first text")
    assert block.write(b"short")
    assert block.read() == b"short"


def test_a_text_as_long_as_the_block_fits(block: TextBlock) -> None:
    """The bound itself is within it."""
    assert block.capacity == 48
    assert block.write(b"x" * 48)
    assert block.read() == b"x" * 48


def test_a_text_that_is_too_long_is_refused(block: TextBlock) -> None:
    """The writer is told, and the old text stays."""
    block.write(b"old")
    assert not block.write(b"x" * 49)
    assert block.read() == b"old"


def test_the_text_of_a_writer_killed_in_between_is_none(block: TextBlock) -> None:
    """Better no text than half of one; the reader does not wait for the dead."""
    block.write(b"whole")
    tear(block)
    assert block.read() == b""


def test_the_next_writer_mends_a_torn_block(block: TextBlock) -> None:
    """However many were killed before it."""
    for text in (b"first", b"second"):
        tear(block)
        tear(block)
        assert block.write(text)
        assert block.read() == text


def test_a_length_beyond_the_block_is_not_believed(block: TextBlock) -> None:
    """A reader never reads its neighbour's memory."""
    block._header[1] = 1 << 40
    assert block.read() == bytes(48)


def test_a_reader_never_sees_two_texts_in_one() -> None:
    """While another process writes as fast as it can."""
    block = Scoreboard([counter("c_total", "…")], slots=1).own.text
    texts = {letter * (1000 * number) for number, letter in enumerate([b"a", b"b", b"c"], 1)}

    def write_for_ever(child: Child) -> None:
        for text in texts:
            block.write(text)
        child.say()
        while True:
            for text in texts:
                block.write(text)

    with Child(write_for_ever) as child:
        child.hear()
        seen = {block.read() for _ in range(2000)}
        while not seen >= texts:
            seen.add(block.read())
    assert seen <= texts | {b""}
