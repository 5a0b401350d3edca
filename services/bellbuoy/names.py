"""Name tables: label values that arise at run time, shared by all processes and bounded.

Law of this file: an entry is written once, under the lock, and published by the count that is
stored after it; readers need no lock. The lock is the kernel's (``fcntl``), which a killed
process lets go of.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from bellbuoy.metrics import OTHER, NameTable

ENTRY_BYTES = 160
"""Bytes for one entry: a route template with method and status fits; longer names are other."""

_SEPARATOR = "\x1f"
_WORD = 8

VALUE_BYTES = ENTRY_BYTES - _WORD
"""Bytes for the label values of one entry, with one between two of them."""


class Names:
    """One name table in memory.

    Args:
        table: The declaration.
        memory: ``size(table)`` bytes, shared between processes or not.
        lock: A file descriptor to lock while writing, or ``None`` in a single process.
    """

    def __init__(self, table: NameTable, memory: memoryview, lock: int | None = None) -> None:
        """Read what is already there."""
        self.table = table
        self._memory = memory
        # A cast view stores a word at once; struct.pack_into would let readers see zero first.
        self._words = memory.cast("Q")
        self._lock = lock
        self._known: dict[tuple[str, ...], int] = {}
        self._other = (OTHER,) * len(table.labels)
        self.entries()

    @staticmethod
    def size(table: NameTable) -> int:
        """Return the bytes that a table occupies."""
        return _WORD + table.capacity * ENTRY_BYTES

    def index(self, *values: str) -> int:
        """Return the entry of ``values``, made now if there is room, else that of ``other``."""
        known = self._known.get(values)
        return self._register(values) if known is None else known

    def entries(self) -> list[tuple[str, ...]]:
        """Return the label values of every entry; the last is ``other``'s."""
        self._refresh()
        return [*self._known, self._other]

    def _register(self, values: tuple[str, ...]) -> int:
        encoded = _SEPARATOR.join(values).encode(errors="replace")
        # What every process will read; a lone surrogate, for one, comes back as "?".
        shown = tuple(encoded.decode().split(_SEPARATOR))
        unfit = len(encoded) > VALUE_BYTES
        if unfit or not len(shown) == len(values) == len(self.table.labels):
            return self.table.capacity
        index = self._find(shown)
        if index is None:
            with self._locked():
                index = self._find(shown)
                if index is None:
                    index = self._known[shown] = self._append(encoded)
        return index

    def _find(self, values: tuple[str, ...]) -> int | None:
        """Return the entry, or ``None`` when ``values`` have none yet and there is room."""
        self._refresh()
        settled = values == self._other or len(self._known) == self.table.capacity
        return self._known.get(values, self.table.capacity if settled else None)

    def _refresh(self) -> None:
        for index in range(len(self._known), self._count()):
            self._known[self._read(index)] = index

    def _count(self) -> int:
        return self._words[0]

    def _append(self, encoded: bytes) -> int:
        index = self._count()
        start = _WORD + index * ENTRY_BYTES
        self._words[start // _WORD] = len(encoded)
        self._memory[start + _WORD : start + _WORD + len(encoded)] = encoded
        self._words[0] = index + 1
        return index

    def _read(self, index: int) -> tuple[str, ...]:
        start = _WORD + index * ENTRY_BYTES
        text = self._memory[start + _WORD :][: self._words[start // _WORD]]
        return tuple(bytes(text).decode().split(_SEPARATOR))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if self._lock is None:
            yield
            return
        fcntl.lockf(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._lock, fcntl.LOCK_UN)
