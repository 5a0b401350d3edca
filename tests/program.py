"""A program under test as a real process tree: started, watched, signalled, and never left behind.

Law of this file: whatever a program starts carries a mark in its environment, and when a test
ends nothing with that mark is alive and no unexpected error was logged.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.waiting import PATIENCE, eventually

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = ROOT / "tests" / "programs"
MARK = "PROGRAM_UNDER_TEST"

UNMEASURED = dict.fromkeys(("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START"), "")
"""Settings for what is loaded so heavily that measuring its coverage would be most of the work."""

Event = dict[str, Any]


@pytest.fixture
def loop(anyio_backend: tuple[str, dict[str, Any]]) -> str:
    """The test runs twice: BUOY_LOOP is this, and an asynchronous test runs on the same."""
    return "uvloop" if anyio_backend[1]["use_uvloop"] else "asyncio"


@dataclass(frozen=True)
class Answer:
    """What the admin port answered."""

    status: int
    headers: Mapping[str, str]
    body: str

    def json(self) -> Any:
        """Return the body, decoded."""
        return json.loads(self.body)


class Metrics(dict[tuple[str, frozenset[tuple[str, str]]], float]):
    """One scrape: every sample by name and labels."""

    @classmethod
    def parse(cls, text: str) -> "Metrics":
        """Return the samples of an exposition."""
        return cls(
            {
                (sample.name, frozenset(sample.labels.items())): sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
            }
        )

    def value(self, name: str, **labels: str) -> float:
        """Return the sum of the samples called ``name`` that carry ``labels``."""
        return sum(
            value
            for (sample, found), value in self.items()
            if sample == name and labels.items() <= set(found)
        )

    def went_backwards(self, before: "Metrics") -> list[str]:
        """Return the counters that are lower here than ``before``, or gone."""
        return [
            f"{name} {sorted(labels)}: {value} then {self.get((name, labels))}"
            for (name, labels), value in before.items()
            if name.endswith(("_total", "_count", "_sum", "_bucket"))
            and not name.startswith(("process_", "python_"))  # a new process starts at zero
            and self.get((name, labels), -1.0) < value
        ]


class Program:
    """A running program; made by :func:`running`.

    Attributes:
        events: What it logged, as logged.
        lines: What it wrote that is no log event.
    """

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        """Start it."""
        mark = uuid.uuid4().hex
        self._mark = f"{MARK}={mark}".encode()
        self.events: list[Event] = []
        self.lines: list[str] = []
        self._wrote = threading.Condition()
        inherited = {name: value for name, value in os.environ.items() if name[:5] != "BUOY_"}
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**inherited, "PYTHONPATH": "services", MARK: mark, **environ},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        return self.process.pid

    @property
    def address(self) -> tuple[str, int]:
        """Where clients connect."""
        return _address(self.event("listening")["address"])

    @property
    def admin_address(self) -> tuple[str, int]:
        """Where probes connect."""
        return _address(self.event("listening")["admin"])

    def event(self, message: str, within: float = PATIENCE, **fields: object) -> Event:
        """Return the first event with this message and these fields; wait for it."""

        def found() -> Event | None:
            return next(iter(self.logged(message, **fields)), None)

        with self._wrote:
            self._wrote.wait_for(lambda: found() or not self._reader.is_alive(), within)
        event = found()
        assert event, f"no {message!r} with {fields} in {self.events} {self.lines}"
        return event

    def logged(self, message: str, **fields: object) -> list[Event]:
        """Return the events with this message and these fields so far."""
        return [
            event
            for event in list(self.events)
            if event["message"] == message and fields.items() <= event.items()
        ]

    def get(
        self, path: str, timeout: float = PATIENCE, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask the admin port."""
        connection = http.client.HTTPConnection(*self.admin_address, timeout=timeout)
        try:
            connection.request("GET", path, headers=dict(headers or {}))
            response = connection.getresponse()
            body = response.read().decode()
            return Answer(response.status, dict(response.getheaders()), body)
        finally:
            connection.close()

    def metrics(self, timeout: float = PATIENCE) -> Metrics:
        """Scrape; anything but 200 fails."""
        answer = self.get("/metrics", timeout)
        assert answer.status == 200, answer
        return Metrics.parse(answer.body)

    def is_ready(self) -> bool:
        """Return whether the readiness probe succeeds; an absent admin process is not ready."""
        try:
            return self.get("/readyz").status == 200
        except (OSError, http.client.HTTPException):
            return False

    def traffic(self) -> list[int]:
        """Return the pids of the living traffic workers that have begun to serve."""
        return self._serving(admin=False)

    def admin(self) -> list[int]:
        """Return the pid of the living admin process, once it serves."""
        return self._serving(admin=True)

    def await_workers(self, count: int) -> list[int]:
        """Wait until all is well; return the pids of the ``count`` traffic workers."""
        eventually(lambda: len(self.traffic()) == count and len(self.admin()) == 1)
        eventually(self.is_ready)
        return self.traffic()

    def alive(self) -> list[int]:
        """Return the pids of all its living processes, wherever they hang in the tree."""
        names = (path.name for path in Path("/proc").iterdir())
        return [int(name) for name in names if name.isdigit() and self._is_alive(name)]

    def send(self, number: signal.Signals) -> None:
        """Signal the supervisor."""
        self.process.send_signal(number)

    def wait(self, within: float = PATIENCE) -> int:
        """Return the exit status, negative for a signal; it must come within so many seconds."""
        return self.process.wait(within)

    def stop(self, number: signal.Signals = signal.SIGTERM, within: float = PATIENCE) -> int:
        """Signal the supervisor, and return the exit status."""
        self.send(number)
        return self.wait(within)

    def end(self) -> list[int]:
        """Stop it if need be, kill what is left, and return what had to be killed."""
        if self.process.poll() is None:
            self.send(signal.SIGCONT)
            self.send(signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while (left := self.alive()) and time.monotonic() < deadline:
            self.process.poll()
            time.sleep(0.01)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join(PATIENCE)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return left

    def complaints(self) -> list[str]:
        """Return every line that is no event, and every event that is an error."""
        errors = [event for event in self.events if event["level"] in {"error", "critical"}]
        return [*self.lines, *map(str, errors)]

    def _serving(self, *, admin: bool) -> list[int]:
        serving = [event["pid"] for event in self.logged("serving", admin=admin)]
        return [pid for pid in serving if self._is_alive(pid)]

    def _is_alive(self, pid: int | str) -> bool:
        """Return whether it is ours: a zombie has no environment any more."""
        try:
            return self._mark in Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._wrote:
                self._keep(line)
                self._wrote.notify_all()
        with self._wrote:
            self._wrote.notify_all()

    def _keep(self, line: str) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            self.lines.append(line)
        else:
            self.events.append(event)


@contextmanager
def running(
    program: str = "echo",
    environ: Mapping[str, str] | None = None,
    *,
    complaints: Sequence[str] = (),
    before: Sequence[str] = (),
) -> Iterator[Program]:
    """Run a program until the block ends, on ports that the kernel chooses.

    Args:
        program: ``echo``, or the name of a file in tests/programs.
        environ: Settings, beside the ports.
        complaints: Texts that errors it logs, and lines it writes, may contain; others fail.
        before: A command that starts the program, such as ``prlimit --nofile=100``.
    """
    place = ["-m", "echo"] if program == "echo" else [str(PROGRAMS / f"{program}.py")]
    settings = {"BUOY_WORKERS": "1", **ports(program), **(environ or {})}
    started = Program([*before, sys.executable, *place], settings)
    try:
        yield started
    except BaseException:
        started.end()
        raise
    left = started.end()
    assert left == []
    unexpected = [
        text for text in started.complaints() if not any(known in text for known in complaints)
    ]
    assert unexpected == []


def ports(program: str) -> dict[str, str]:
    """Return the variables that let the kernel choose a program's ports."""
    return {f"BUOY_{program.upper()}_PORT": "0", f"BUOY_{program.upper()}_ADMIN_PORT": "0"}


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)
