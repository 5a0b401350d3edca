"""A small text in shared memory: one process writes it, any may read it at any time."""

_HEADER_BYTES = 16
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
        # Version and length. A cast view stores a word at once; struct.pack_into zeroes it first,
        # and that zero would be read as a version.
        self._header = memory[:_HEADER_BYTES].cast("Q")
        self._text = memory[_HEADER_BYTES:]

    @property
    def capacity(self) -> int:
        """Bytes that fit."""
        return len(self._text)

    def write(self, text: bytes) -> bool:
        """Replace the text; return whether it fitted."""
        if len(text) > self.capacity:
            return False
        version = self._header[0] | 1
        self._header[0] = version
        self._header[1] = len(text)
        self._text[: len(text)] = text
        self._header[0] = version + 1
        return True

    def read(self) -> bytes:
        """Return the text, empty when there is none or its writer was killed while writing."""
        for _ in range(_ATTEMPTS):
            version, length = self._header
            text = bytes(self._text[:length])
            if version % 2 == 0 and self._header[0] == version:
                return text
        return b""
