"""The event loop that a setting names."""

import asyncio
import platform

import uvloop

from bellbuoy.host.loop import loop_factory, loop_version


def test_each_name_makes_its_loop() -> None:
    """Anew each time."""
    for name, kind in (("uvloop", uvloop.Loop), ("asyncio", asyncio.SelectorEventLoop)):
        factory = loop_factory(name)  # type: ignore[arg-type]  # both are its names
        first, second = factory(), factory()
        assert isinstance(first, kind)
        assert first is not second
        first.close()
        second.close()


def test_each_loop_tells_its_version() -> None:
    """That of asyncio is Python's."""
    assert loop_version("uvloop") == uvloop.__version__  # type: ignore[attr-defined]  # it is there
    assert loop_version("asyncio") == platform.python_version()
