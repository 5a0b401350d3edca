"""Processes that do not outlive onebox.

Law of this file: every child is started here and from the main thread. The kernel sends the
death signal when the *thread* that started a child ends (prctl(2), PR_SET_PDEATHSIG), and its
own session keeps a Ctrl-C in the terminal from reaching it past onebox.
"""

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from bellbuoy.errors import EnvironmentFault
from onebox.account import Account
from onebox.waiting import Watch, nothing, wait_until

STDERR = 2  # the file descriptor

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_TERM_SECONDS = 5.0  # a one-shot command that was told to end has nothing to drain

_prctl: Callable[[int, int], int] = ctypes.CDLL(None).prctl


@dataclass(frozen=True, kw_only=True)
class Command:
    """What to run and as whom.

    Args:
        argv: The program and its arguments.
        environ: Its whole environment.
        directory: Its working directory; ``None`` is ours.
        account: Whom it runs as; ``None`` is us.
        death_signal: What it gets when onebox is killed.
    """

    argv: tuple[str, ...]
    environ: Mapping[str, str]
    directory: Path | None = None
    account: Account | None = None
    death_signal: signal.Signals = signal.SIGTERM


def spawn(
    command: Command,
    *,
    stdout: IO[bytes] | int | None = None,
    stderr: IO[bytes] | int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a command in its own session and return at once.

    Raises:
        EnvironmentFault: The program cannot be executed.
    """
    account = command.account
    try:
        return subprocess.Popen(  # noqa: S603  # argv is ours, no shell
            command.argv,
            env=dict(command.environ),
            cwd=command.directory,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            # Runs after the change of user, which would clear the request.
            preexec_fn=partial(_die_with, os.getpid(), command.death_signal),  # noqa: PLW1509
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise EnvironmentFault(f"cannot start {command.argv[0]}: {error}") from error


def complete(
    command: Command,
    *,
    timeout: float,
    watch: Watch = nothing,
    output: IO[bytes] | int = STDERR,
) -> int:
    """Run a command to its end and return its exit status.

    Args:
        command: What to run.
        timeout: Seconds it may take.
        watch: Called while waiting; when it raises, the command is ended first.
        output: Where both its outputs go; our standard output is for the announcement.

    Raises:
        EnvironmentFault: It could not be started or took longer.
    """
    process = spawn(command, stdout=output, stderr=output)
    try:
        if not wait_until(lambda: process.poll() is not None, timeout=timeout, watch=watch):
            raise EnvironmentFault(f"{' '.join(command.argv)} did not end within {timeout:.0f} s")
    finally:
        end(process)
    return process.returncode


def end(process: subprocess.Popen[bytes]) -> None:
    """See a process that may still run to its end; bounded."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_TERM_SECONDS)
    except subprocess.TimeoutExpired:
        kill_session(process)
        process.wait()


def kill_session(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that :func:`spawn` started, and every child that stayed in its session."""
    if process.poll() is None:  # not reaped yet, so its number is still its own
        os.killpg(process.pid, signal.SIGKILL)


def _die_with(parent: int, number: int) -> None:
    _prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:  # it died before the kernel heard of the wish
        os._exit(1)
