"""Rings: errors that hold on to where they were met, until Python's collector looks for them."""

import gc
from collections.abc import Iterator

import pytest


def kept(kind: type[BaseException]) -> list[BaseException]:
    """Return the errors of a kind that hold on to where they were met."""
    found = (each for each in gc.get_objects() if isinstance(each, kind))
    return [each for each in found if each.__traceback__]


@pytest.fixture
def no_collection() -> Iterator[None]:
    """Let nobody look for rings."""
    gc.disable()
    yield
    gc.enable()
