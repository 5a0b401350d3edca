"""A small text in shared memory: one process writes it, any may read it at any time."""

import struct

# Native, so that each number is stored and read as one word and never seen half-written.
_HEADER = struct.Struct("@QQ")
_ATTEMPTS = 100


class TextBlock:
    """A bounded text under a sequence lock.

    The version is odd while the text is being written; a reader that saw it change, or odd,
    tries again. A writer that was killed in between leaves it odd: then there is no text.

    Args:
        memory: Header and text; longer texts are refused.
    """

    def __init__(self, memory: memoryview) -> None:
        """Use ``memory`` as it is."""
        self._memory = memory

    @property
    def capacity(self) -> int:
        """Bytes that fit."""
        return len(self._memory) - _HEADER.size

    def write(self, text: bytes) -> bool:
        """Replace the text; return whether it fitted."""
        if len(text) > self.capacity:
            return False
        version = int(_HEADER.unpack_from(self._memory)[0]) | 1
        _HEADER.pack_into(self._memory, 0, version, len(text))
        self._memory[_HEADER.size : _HEADER.size + len(text)] = text
        _HEADER.pack_into(self._memory, 0, version + 1, len(text))
        return True

    def read(self) -> bytes:
        """Return the text, empty when there is none or its writer was killed while writing."""
        for _ in range(_ATTEMPTS):
            version, length = _HEADER.unpack_from(self._memory)
            text = bytes(self._memory[_HEADER.size : _HEADER.size + min(length, self.capacity)])
            if version % 2 == 0 and _HEADER.unpack_from(self._memory)[0] == version:
                return text
        return b""
