"""The watch: probing, healing, latching the schema."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import structlog.testing

from bellbuoy.database import watch as module
from bellbuoy.database.availability import Availability, State
from bellbuoy.database.schema import Schema
from bellbuoy.database.session import connect_arguments
from bellbuoy.database.watch import Watch
from bellbuoy.errors import DatabaseUnavailable
from bellbuoy.monitor import AsyncMonitor
from tests.bellbuoy.database.pools import nowhere
from tests.bellbuoy.database.test_connections import connections
from tests.bellbuoy.database.test_measures import measures


class Reader:
    """Says about the schema what a test wants, and counts how often it was asked."""

    def __init__(self, *answers: Schema | Exception) -> None:
        """Give the answers in turn, the last one for ever."""
        self._answers = list(answers)
        self.asked = asyncio.Semaphore(0)

    async def __call__(self) -> Schema:
        """Return or raise the next answer."""
        self.asked.release()
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def watching(
    folder: Path, reader: Reader, availability: Availability | None = None, port: int = 1
) -> Watch:
    """Return a watch for a program of schema version 2."""
    target = connections(folder, 1)
    arguments: dict[str, Any] = connect_arguments(nowhere(folder, port), "test")
    known = availability or Availability()
    return Watch(reader, arguments, known, target, measures(), 2, jitter=lambda: 0.0)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch rests for milliseconds."""
    for name in ("PROBE", "CHECK", "WAIT_FOR_SCHEMA", "FIRST_PROBE"):
        monkeypatch.setattr(module, name, 0.001)


@pytest.mark.usefixtures("hasty")
async def test_a_compatible_schema_is_latched(tmp_path: Path) -> None:
    """Not ready until it fits; then ready for good, even if it never fits again."""
    reader = Reader(Schema(1, 1), DatabaseUnavailable("down", 1), Schema(2, 1), Schema(9, 9))
    watch = watching(tmp_path, reader)
    watch.start(AsyncMonitor())
    await asyncio.wait_for(watch.compatible.wait(), 5)
    for _ in range(6):
        await asyncio.wait_for(reader.asked.acquire(), 5)
    assert watch.compatible.is_set()
    await watch.stop()


@pytest.mark.usefixtures("hasty")
async def test_a_schema_that_does_not_fit_is_logged_once(tmp_path: Path) -> None:
    """The operator learns which it is and which is wanted."""
    reader = Reader(Schema(1, 1))
    watch = watching(tmp_path, reader)
    with structlog.testing.capture_logs() as events:
        watch.start(AsyncMonitor())
        for _ in range(4):
            await asyncio.wait_for(reader.asked.acquire(), 5)
        await watch.stop()
    warnings = [event for event in events if event["log_level"] == "warning"]
    assert [(event["schema"], event["program"]) for event in warnings] == [(1, 2)]


@pytest.mark.usefixtures("hasty")
async def test_a_bug_does_not_end_the_watch(tmp_path: Path) -> None:
    """Without it the circuit would stay open for ever."""
    reader = Reader(RuntimeError("bug"), Schema(2, 1))
    watch = watching(tmp_path, reader)
    with structlog.testing.capture_logs() as events:
        watch.start(AsyncMonitor())
        await asyncio.wait_for(watch.compatible.wait(), 5)
        await watch.stop()
    assert [event["log_level"] for event in events] == ["error"]


@pytest.mark.usefixtures("hasty")
async def test_while_down_it_asks_on_a_connection_of_its_own(tmp_path: Path) -> None:
    """The pool's are not to be used; here nobody answers, so it stays down."""
    circuit, reader = Availability(), Reader(Schema(2, 1))
    circuit.failed(circuit.epoch)
    probed = asyncio.Event()

    def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        probed.set()
        writer.close()

    listener = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    watch = watching(tmp_path, reader, circuit, listener.sockets[0].getsockname()[1])
    async with listener:
        watch.start(AsyncMonitor())
        await asyncio.wait_for(probed.wait(), 5)
        await watch.stop()
    assert reader.asked.locked()
    assert circuit.state is State.DOWN


async def test_an_alarm_ends_its_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage is probed at once, not at the next look at an idle server."""
    monkeypatch.setattr(module, "FIRST_PROBE", 0.001)
    reader, monitor = Reader(Schema(2, 1)), AsyncMonitor()
    watch = watching(tmp_path, reader)
    watch.start(monitor)
    await asyncio.wait_for(reader.asked.acquire(), 5)
    await asyncio.wait_for(watch.compatible.wait(), 5)
    await asyncio.sleep(0)
    assert monitor.get_stats().tasks["database.look"].started == 1
    watch.alarm()
    await asyncio.wait_for(reader.asked.acquire(), module.CHECK / 2)
    assert monitor.get_stats().tasks["database.look"].started == 2
    await watch.stop()


async def test_stopping_twice_is_no_mistake(tmp_path: Path) -> None:
    """Closing is idempotent."""
    monitor = AsyncMonitor()
    watch = watching(tmp_path, Reader(Schema(2, 1)))
    watch.start(monitor)
    await watch.stop()
    await watch.stop()
    ended = monitor.get_stats().tasks["database.watch"]
    assert (ended.started, ended.cancelled) == (1, 1)
