"""Every process of a container has its own numbers, under the names that everybody knows."""

import gc
import math
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from prometheus_client import Metric, PlatformCollector, ProcessCollector
from prometheus_client.parser import text_string_to_metric_families

from bellbuoy.host.processmetrics import MOST_FILES, ProcessMetrics, open_files
from bellbuoy.host.textformat import TextFormat
from bellbuoy.host.vitals import show_collector
from bellbuoy.lifecycle import State
from bellbuoy.scoreboard import Scoreboard
from bellbuoy.snapshot import take
from tests.bellbuoy.forked import Child

EVERYBODY = ("supervisor", "admin", "worker-1")


MIB = 1 << 20


def burdened(times: int) -> Callable[[Child], None]:
    """Return a process that differs from one with other ``times`` in all that can be seen."""

    def body(child: Child) -> None:
        files = [os.open("/dev/null", os.O_RDONLY) for _ in range(10 * times)]
        burden = bytearray(b".") * (50 * MIB * times)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft - len(files), hard))
        child.say()
        child.hold()
        del burden

    return body


@pytest.fixture
def board() -> Iterator[Scoreboard]:
    """A supervisor, which is us, an admin process and a traffic worker, no two of them alike."""
    board = Scoreboard((), 4)
    board.supervisor = os.getpid()
    with Child(burdened(1)) as admin, Child(burdened(2)) as worker:
        for slot, child in zip(board.workers, (admin, worker), strict=False):
            child.hear()
            slot.take(admin=child is admin)
            slot.pid = child.pid
            slot.step(State.READY)
        yield board


def scrape(board: Scoreboard) -> dict[str, Metric]:
    """Return the families by name."""
    text = TextFormat(openmetrics=False).write(ProcessMetrics().families(take(board))).decode()
    return {metric.name: metric for metric in text_string_to_metric_families(text)}


def by_process(metric: Metric) -> dict[str, float]:
    """Return the values of a family with that label alone."""
    return {sample.labels["process"]: sample.value for sample in metric.samples}


def test_what_the_kernel_tells_is_true_for_each_process(board: Scoreboard) -> None:
    """As another library reads it."""
    families = scrape(board)
    assert tuple(by_process(families["process_open_fds"])) == EVERYBODY
    pids = (os.getpid(), *(int(slot.pid) for slot in board.workers[: len(EVERYBODY) - 1]))
    for label, pid in zip(EVERYBODY, pids, strict=True):
        process = psutil.Process(pid)
        for name, value, tolerance in (
            ("process_resident_memory_bytes", process.memory_info().rss, 20 * MIB),
            ("process_virtual_memory_bytes", process.memory_info().vms, 20 * MIB),
            ("process_start_time_seconds", process.create_time(), 0.02),
            ("process_cpu_seconds", sum(process.cpu_times()[:2]), 0.2),
            ("process_open_fds", process.num_fds(), 3),
            ("process_max_fds", process.rlimit(psutil.RLIMIT_NOFILE)[0], 0),
        ):
            told = by_process(families[name])[label]
            assert told == pytest.approx(value, rel=0, abs=tolerance), (name, label)


def test_each_process_tells_what_its_own_collector_did(board: Scoreboard) -> None:
    """One that has not told yet is at zero."""
    gc.collect()
    show_collector(board.workers[1])
    collections = scrape(board)["python_gc_collections"]
    told = {
        (sample.labels["process"], sample.labels["generation"]): sample.value
        for sample in collections.samples
    }
    assert len(told) == len(EVERYBODY) * 3
    assert told["worker-1", "2"] >= 1
    assert told["admin", "2"] == told["supervisor", "2"] == 0


def test_a_new_process_in_a_slot_starts_at_zero(board: Scoreboard) -> None:
    """As process_cpu_seconds_total does; Prometheus knows resets."""
    slot = board.workers[1]
    show_collector(slot)
    slot.free(slot.load())
    slot.take(admin=False)
    assert not any(slot.collections)


def test_a_process_that_is_gone_has_no_numbers(board: Scoreboard) -> None:
    """It died a moment ago."""
    board.workers[1].pid = 2**22 + 1  # beyond the largest there can be
    assert "worker-1" not in by_process(scrape(board)["process_open_fds"])


def test_it_says_which_python_runs(board: Scoreboard) -> None:
    """It is the same for all processes."""
    (sample,) = scrape(board)["python_info"].samples
    assert sample.labels["implementation"] == "CPython"


def test_the_families_are_those_of_prometheus_client(board: Scoreboard) -> None:
    """Name, type and help, which every dashboard knows."""
    families = scrape(board)
    for collector in (PlatformCollector(registry=None), ProcessCollector(registry=None)):
        for theirs in collector.collect():
            ours = families[theirs.name]
            assert (ours.type, ours.documentation) == (theirs.type, theirs.documentation)
    (python,) = PlatformCollector(registry=None).collect()
    assert families["python_info"].samples[0].labels == python.samples[0].labels


@pytest.mark.parametrize("size", [0, 3])
def test_open_files_are_counted_on_old_and_new_kernels(tmp_path: Path, size: int) -> None:
    """By the folder's size where the kernel tells it, else one by one."""
    folder = tmp_path / "fd"
    folder.mkdir()
    for name in "012":
        (folder / name).touch()
    sized = os.stat_result((0, 0, 0, 0, 0, 0, size, 0, 0, 0))
    assert open_files(str(folder), lambda _: sized) == 3


def test_no_limit_on_files_is_written_as_such(board: Scoreboard) -> None:
    """It is a number too."""
    families = dict(ProcessMetrics(most=lambda _: -1).families(take(board)))
    assert {series.value for series in families[MOST_FILES]} == {math.inf}
