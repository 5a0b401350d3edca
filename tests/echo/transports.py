"""A transport that keeps account, and fails on purpose."""

import asyncio
import errno
import ssl


class Transport(asyncio.Transport):
    """Takes writes until told that its client does not read.

    Attributes:
        wrote: What was written.
        asked: The other methods that were called, in order.
        unsent: Bytes that the client has not read.
        half_closes: Whether FIN can be sent alone.
        has_reset: Whether the client is gone, which only a system call would tell.
    """

    def __init__(self) -> None:
        """Have a client that reads."""
        super().__init__()
        self.wrote = b""
        self.asked: list[str] = []
        self.unsent = 0
        self.has_reset = False
        self.half_closes = True
        self.options: dict[int, bytes] = {}
        self.limits: tuple[int | None, int | None] = (None, None)
        self.protocol: asyncio.BaseProtocol | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take it."""
        self.wrote += bytes(data)

    def get_write_buffer_size(self) -> int:
        """Return what is unsent."""
        return self.unsent

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Note them."""
        self.limits = (high, low)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Note who reads."""
        self.protocol = protocol

    def is_closing(self) -> bool:
        """Return whether it was closed or aborted."""
        return bool({"close", "abort"} & set(self.asked))

    def pause_reading(self) -> None:
        """Note it."""
        self.asked.append("pause_reading")

    def resume_reading(self) -> None:
        """Note it."""
        self.asked.append("resume_reading")

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Return itself as the TLS object and as the socket."""
        return self if name in {"ssl_object", "socket"} else default

    def fileno(self) -> int:
        """Return that there is none."""
        return -1

    def setsockopt(self, _: int, name: int, value: bytes) -> None:
        """Note it, unless the client is gone."""
        if self.has_reset:
            raise OSError(errno.EBADF, "Bad file descriptor")
        self.options[name] = value

    def unwrap(self) -> None:
        """Say close_notify; as TLS does, want the client's."""
        self.asked.append("unwrap")
        raise ssl.SSLWantReadError

    def can_write_eof(self) -> bool:
        """Return whether it can say FIN and read on; TLS cannot."""
        return self.half_closes

    def write_eof(self) -> None:
        """Send FIN, unless the client is gone."""
        self.asked.append("write_eof")
        if self.has_reset:
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    def close(self) -> None:
        """Note it; twice, asyncio's transport of TLS is of no use any more."""
        assert self.half_closes or "close" not in self.asked
        self.asked.append("close")

    def abort(self) -> None:
        """Note it."""
        self.asked.append("abort")
