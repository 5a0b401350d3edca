"""Echo connections on a real loop and real sockets, whatever is sent in whatever pieces."""

import asyncio
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bellbuoy.host.loop import loop_factory
from bellbuoy.instruments import Instruments
from bellbuoy.metrics import Layout
from echo.families import FAMILIES, PAUSES, RECEIVED, SENT
from tests.bellbuoy.host.listening import client
from tests.echo.serving import served

PIECES = st.lists(
    st.tuples(st.integers(1, 150_000), st.binary(min_size=1, max_size=9)), min_size=1, max_size=12
).map(lambda pieces: [(seed * length)[:length] for length, seed in pieces])
"""Pieces of up to 150 KB, so that the marks of the write buffer are passed at times."""

END = 10.0
"""Seconds for what takes milliseconds."""


async def echoed(
    pieces: list[bytes], mark: int, instruments: Instruments, *, at_once: bool
) -> tuple[bytes, int]:
    """Send pieces, then FIN; return what came back before the server's, and what was counted."""
    async with served(mark, instruments) as (server, address), client(address) as talk:
        for piece in pieces:
            talk.writer.write(piece)
            if not at_once:
                await asyncio.sleep(0)
        talk.writer.write_eof()
        came = await asyncio.wait_for(talk.reader.read(), END)
        async with asyncio.timeout(END):
            await server.connections.until_empty()
    assert instruments.counter(SENT).value == len(came)
    return came, int(instruments.counter(RECEIVED).value)


@pytest.mark.parametrize("name", ["asyncio", "uvloop"])
def test_what_the_kernel_does_not_take_comes_back_too(name: Literal["asyncio", "uvloop"]) -> None:
    """The client reads only after its FIN: the kernel is full by then, and the mark was passed."""
    instruments = Instruments(Layout(FAMILIES))
    pieces = [bytes([number]) * 300_000 for number in range(12)]
    with asyncio.Runner(loop_factory=loop_factory(name)) as runner:
        came, counted = runner.run(echoed(pieces, 1024, instruments, at_once=True))
    assert came == b"".join(pieces)
    assert counted == len(came)
    assert instruments.counter(PAUSES).value > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["asyncio", "uvloop"])
@settings(deadline=None, max_examples=40)
@given(pieces=PIECES, mark=st.sampled_from([1024, 20_000, 256 * 1024]), at_once=st.booleans())
def test_whatever_is_sent_comes_back(
    name: Literal["asyncio", "uvloop"],
    pieces: list[bytes],
    mark: int,
    at_once: bool,  # noqa: FBT001
) -> None:
    """All of it in order, then FIN; and all of it was counted."""
    sent = b"".join(pieces)
    with asyncio.Runner(loop_factory=loop_factory(name)) as runner:
        came, counted = runner.run(
            echoed(pieces, mark, Instruments(Layout(FAMILIES)), at_once=at_once)
        )
    assert came == sent
    assert counted == len(sent)
