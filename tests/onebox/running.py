"""A onebox as a child of a test: started, read, signalled, and never left behind."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import psutil

from onebox import runtime
from onebox.waiting import wait_until

ROOT = Path(__file__).parents[2]

READY_SECONDS = 60.0  # a bound for a machine that runs other tests at the same time
END_SECONDS = 30.0

# What a service is to onebox: two ports, an answer to /readyz, an end at SIGTERM.
_FAKE = """
import http.server, os, signal, socket, sys
if sys.argv[1:]:
    sys.exit(int(os.environ.get("FAKE_JOB_STATUS", "0")))
name = os.path.basename(os.path.dirname(__file__)).upper()
if os.environ.get("FAKE_DEATH") == name:
    sys.exit(int(os.environ.get("FAKE_DEATH_STATUS", "7")))
public = socket.create_server((os.environ["BUOY_HOST"], int(os.environ[f"BUOY_{name}_PORT"])))
class Probe(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
address = os.environ["BUOY_HOST"], int(os.environ[f"BUOY_{name}_ADMIN_PORT"])
admin = http.server.HTTPServer(address, Probe)
deaf = os.environ.get("FAKE_DEAF") == name
end = lambda *_: print("asked to end", flush=True) if deaf else os._exit(0)
signal.signal(signal.SIGTERM, end)
admin.serve_forever()
"""


def fake_tree(directory: Path) -> Path:
    """Return a checkout in ``directory`` whose services are fakes; the rest is ours."""
    services = directory / "tree" / "services"
    services.mkdir(parents=True)
    (directory / "tree" / "deploy").symlink_to(ROOT / "deploy")
    for package in ("bellbuoy", "onebox"):
        (services / package).symlink_to(ROOT / "services" / package)
    for package in ("echo", "api"):
        (services / package).mkdir()
        (services / package / "__main__.py").write_text(_FAKE)
    return directory / "tree"


def prepared(place: Path, tree: Path = ROOT) -> Path:
    """Return the data directory of a onebox that has run: making the database takes seconds."""
    with onebox(place / "data", place / "output", tree=tree) as box:
        assert box.await_ready().end() == 0
    return place / "data"


def copy(made: Path, data: Path) -> Path:
    """Return ``data``, a copy of a data directory, whoever owns what in it."""
    data.parent.mkdir(exist_ok=True)
    subprocess.run(["cp", "--archive", made, data], check=True)
    return data


def eventually(condition: Callable[[], bool], what: str, timeout: float = END_SECONDS) -> None:
    """Return once the condition is true; fail when it does not get so."""
    assert wait_until(condition, timeout=timeout), f"not within {timeout:.0f} s: {what}"


class Onebox:
    """One onebox.

    Args:
        data: Its data directory; also what all of its processes are known by.
        tree: The checkout it runs from.
        environ: Variables on top of ours; all ports are free ones.
        python: The interpreter.
        uid: Whom it runs as; us by default.
        output: A directory for what it writes.
    """

    def __init__(
        self,
        data: Path,
        output: Path,
        *,
        tree: Path = ROOT,
        environ: Mapping[str, str] | None = None,
        python: str = sys.executable,
        uid: int | None = None,
    ) -> None:
        """Start it."""
        self.data = data
        self._out, self._err = output / "stdout", output / "stderr"
        ports = [f"BUOY_{name}PORT" for name in ("ECHO_", "ECHO_ADMIN_", "API_", "API_ADMIN_")]
        variables = {
            "PYTHONPATH": str(tree / "services"),
            "BUOY_DATA_DIR": str(data),
            "BUOY_WORKERS": "1",
            **dict.fromkeys(ports, "0"),
            **(environ or {}),
        }
        inherited = {name: value for name, value in os.environ.items() if name[:5] != "BUOY_"}
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [python, "-m", "onebox"],
                env=inherited | variables,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                user=uid,
                group=uid,
                extra_groups=None if uid is None else [],
            )

    @property
    def output(self) -> str:
        """What it wrote to standard output."""
        return self._out.read_text()

    @property
    def errors(self) -> str:
        """What it wrote to standard error."""
        return self._err.read_text()

    def await_ready(self) -> "Onebox":
        """Return once it printed its readiness block."""
        eventually(
            lambda: "Bellbuoy is ready" in self.output or self.process.poll() is not None,
            "the readiness block",
            READY_SECONDS,
        )
        assert self.process.poll() is None, self.errors
        return self

    def printed(self, pattern: str) -> str:
        """Return the first group of a pattern in the readiness block."""
        found = re.search(pattern, self.output)
        assert found, self.output
        return found[1]

    def sql(self, statement: str, role: str = "bellbuoy_owner") -> object:
        """Run a statement in its database and return the first value."""
        environ = self.child("api").environ()
        secret = self.data / "secrets" / f"{role}.password"

        async def run() -> object:
            connection = await asyncpg.connect(
                host=environ["BUOY_DB_HOST"],
                database=environ["BUOY_DB_NAME"],
                user=role,
                password=secret.read_text().strip(),
            )
            try:
                return await connection.fetchval(statement)
            finally:
                await connection.close()

        return asyncio.run(run())

    def answers(self, pattern: str) -> bool:
        """Return whether the TCP port that the pattern finds in the readiness block accepts."""
        port = int(self.printed(pattern))
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            return False
        return True

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return self.status()

    def status(self) -> int:
        """Return the exit status once it ended."""
        return self.process.wait(END_SECONDS)

    def processes(self) -> list[psutil.Process]:
        """Return every living process that belongs to this data directory, orphans included."""
        return [process for process in psutil.process_iter() if _belongs(process, self.data)]

    def child(self, *words: str) -> psutil.Process:
        """Return the oldest process of ours, onebox aside, with all these words in its command."""
        found = [
            process
            for process in self.processes()
            if process.pid != self.process.pid and set(words) <= set(_command(process))
        ]
        assert found, f"no process {words}"
        return min(found, key=lambda process: (process.create_time(), process.pid))

    def kill_everything(self) -> None:
        """Kill all of it at once, as well as that can be done."""
        for process in self.processes():
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self.process.wait(END_SECONDS)

    def assert_nothing_left(self) -> None:
        """Fail if a process of it goes on living."""
        eventually(lambda: not self.processes(), f"the end of {self.processes()}")


@contextmanager
def onebox(data: Path, output: Path, **options: object) -> Iterator[Onebox]:
    """Run a onebox that is gone at the end, whatever the test did."""
    output.mkdir(exist_ok=True)
    running = Onebox(data, output, **options)  # type: ignore[arg-type]  # passed on as they are
    try:
        yield running
    finally:
        running.kill_everything()
        with runtime.make(data, None):
            pass  # what a killed one left, the next one clears


def _command(process: psutil.Process) -> list[str]:
    """Return its command line; one that has just ended has none."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _belongs(process: psutil.Process, data: Path) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if process.environ().get("BUOY_DATA_DIR") == str(data):
            return True
        return Path(process.cwd()).is_relative_to(data)
    except psutil.Error:
        return False
