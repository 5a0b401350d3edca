"""The event loop that a setting names."""

import asyncio

import uvloop

from bellbuoy.host.loop import loop_factory


def test_each_name_makes_its_loop() -> None:
    """Anew each time."""
    for name, kind in (("uvloop", uvloop.Loop), ("asyncio", asyncio.SelectorEventLoop)):
        factory = loop_factory(name)  # type: ignore[arg-type]  # both are its names
        first, second = factory(), factory()
        assert isinstance(first, kind)
        assert first is not second
        first.close()
        second.close()
