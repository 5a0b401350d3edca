"""Usage: a process as the kernel counts it."""

import os
import subprocess
import sys
from pathlib import Path

from bellbuoy.host.statuspage.usage import Usage, usage


def test_our_own_process_has_used_something() -> None:
    """Processor time, memory, and an age."""
    used = usage(os.getpid())
    assert used is not None
    assert used.cpu_seconds > 0
    assert used.memory > 1_000_000
    assert used.age > 0


def test_a_process_that_is_gone_uses_nothing() -> None:
    """It may go at any time."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert usage(child.pid) is None


def test_a_name_may_hold_whatever_it_likes(tmp_path: Path) -> None:
    """Brackets and spaces, for instance."""
    (tmp_path / "7").mkdir()
    rest = b"S " + b" ".join(b"%d" % number for number in range(4, 53))
    (tmp_path / "7" / "stat").write_bytes(b"7 (a) b) " + rest)
    used = usage(7, tmp_path)
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    assert used is not None
    assert Usage(used.cpu_seconds, used.memory, 0.0) == Usage((14 + 15) / ticks, 24 * page, 0.0)
