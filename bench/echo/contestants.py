"""The servers that are compared, how each is built and started."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SERVICES = HERE.parents[1] / "services"


@dataclass(frozen=True)
class Contestant:
    """One server that is compared.

    Args:
        name: What the table calls it.
        command: How to start it; the port comes last, unless the environment has it.
        environment: Further environment variables, in which ``PORT`` is replaced.
        log: File for what it says on stderr; ``None`` is where this script's goes.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path | None = None


@dataclass(frozen=True)
class Running:
    """A contestant that listens on ``port`` as process ``pid``."""

    contestant: Contestant
    port: int
    pid: int


def contestants(build: Path) -> list[Contestant]:
    """Compile what must be compiled into ``build`` and return who takes part.

    Go and Node take part where their toolchains are installed.
    """
    python = sys.executable
    everyone = [
        Contestant("epoll in C", (compile_c("epoll_echo", build),), {}),
        Contestant("bellbuoy", (python, "-m", "echo"), bellbuoy()),
        Contestant("bare uvloop protocol", (python, str(HERE / "protocol.py")), {}),
        Contestant("uvloop streams", (python, str(HERE / "streams.py")), {}),
        Contestant("tutorial", (python, str(HERE / "tutorial.py")), {}),
    ]
    if go := shutil.which("go"):
        binary = build / "goroutines"
        source = HERE / "goroutines.go"
        subprocess.run([go, "build", "-o", binary, source], check=True)  # noqa: S603
        everyone.append(Contestant("Go net", (str(binary),), {"GOMAXPROCS": "1"}))
    if node := shutil.which("node"):
        everyone.append(Contestant("Node net", (node, str(HERE / "pipe.js")), {}))
    return everyone


def bellbuoy(workers: int = 1) -> dict[str, str]:
    """Return the environment of our own service: all protections on, also those off by default."""
    return {
        "PYTHONPATH": str(SERVICES),
        "BUOY_ECHO_PORT": "PORT",
        "BUOY_ECHO_ADMIN_PORT": "0",
        "BUOY_WORKERS": str(workers),
        "BUOY_LOG_LEVEL": "warning",
        "BUOY_MAX_CONNECTIONS": "20000",
        "BUOY_MAX_CONNECTIONS_PER_PEER": "20000",
        "BUOY_ECHO_MAX_AGE_SECONDS": "3600",
    }


def compile_c(name: str, build: Path) -> str:
    """Compile a C source of this folder; return the binary's path."""
    binary = build / name
    source = HERE / f"{name}.c"
    subprocess.run(["cc", "-O2", "-o", binary, source], check=True)  # noqa: S603, S607
    return str(binary)


@contextmanager
def running(contestant: Contestant, core: int | None) -> Iterator[Running]:
    """Run a contestant, pinned to ``core``, until the block ends."""
    port = free_port()
    environment = {
        **os.environ,
        **{k: v.replace("PORT", str(port)) for k, v in contestant.environment.items()},
    }
    arguments = () if "PORT" in contestant.environment.values() else (str(port),)
    pin = ("taskset", "-c", str(core)) if core is not None else ()
    command = [*pin, *contestant.command, *arguments]
    with contestant.log.open("ab") if contestant.log else nullcontext() as log:
        process = subprocess.Popen(  # noqa: S603
            command, env=environment, stdout=subprocess.DEVNULL, stderr=log
        )
    try:
        wait_for(port)
        yield Running(contestant, port, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """Return a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int) -> None:
    """Return once something listens on ``port``; give up after ten seconds."""
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
