"""Forked processes of tests: each leaves by ``os._exit`` and is reaped by its process id."""

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import NoReturn, Self


class Child:
    """One forked process; use it as a context manager, which leaves no process behind.

    Args:
        body: What the process does. It is given the child, to :meth:`say` how far it is and to
            :meth:`hold` until the parent lets it go on; what it raises becomes exit code 1.
    """

    def __init__(self, body: Callable[["Child"], object]) -> None:
        """Fork."""
        self._heard, self._said = os.pipe()
        self._held, self._released = os.pipe()
        self._open = {self._heard, self._released}
        self._code: int | None = None
        with warnings.catch_warnings():
            # The runner may have threads; the child never waits for anything they hold.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if self.pid == 0:
            os.close(self._heard)
            os.close(self._released)
            self._run(body)
        os.close(self._said)
        os.close(self._held)

    def say(self) -> None:
        """Tell the parent, once more, that the child has got here."""
        os.write(self._said, b".")

    def hold(self) -> None:
        """Wait in the child until the parent releases it or is gone."""
        os.read(self._held, 1)

    def hear(self) -> None:
        """Wait in the parent until the child says something."""
        assert os.read(self._heard, 1) == b".", "the child ended before it got there"

    def release(self) -> None:
        """Let the child go on, once."""
        os.write(self._released, b".")

    def wait(self) -> int:
        """Reap the child; return its exit code, negative for a signal."""
        if self._code is None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code

    def kill(self) -> None:
        """Kill the child and reap it."""
        if self._code is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()

    def __enter__(self) -> Self:
        """Go on in the parent."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the child and the pipes."""
        self.kill()
        while self._open:
            os.close(self._open.pop())

    def _run(self, body: Callable[["Child"], object]) -> NoReturn:
        code = 1
        try:
            body(self)
            code = 0
        except BaseException:  # noqa: BLE001 - the child must not go on as a second test runner
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(code)
