"""The drill: what is scraped, the faults that are made in it, and what fires because of them."""

import http.client
import json
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import asyncpg
import psutil
import pytest

from tests.clients import connected
from tests.integration.visiting import address, ask, knock, repeating, visited
from tests.onebox.running import Onebox, onebox
from tests.program import Program, ports, running
from tests.prometheus import Prometheus, prometheus
from tests.waiting import eventually

LIMIT = 40
"""Connections that a worker may hold."""

POOL = 2
VISITORS = 6
"""Half of them ask for what is not batched: more than the pool has connections, so some wait."""

WATCHED = {"BUOY_WATCHDOG_SECONDS": "3"}
DEAF_FOR_LONG = {"BUOY_WATCHDOG_SECONDS": "300"}

NOTICED = 30.0
"""Seconds from a fault to its alert: a few, and more on a machine that does other things, too."""

OVER = 75.0
"""Seconds until all are resolved. Half a minute is what the slower page and both tickets for a
budget look back upon."""

HUNG = 60.0
"""Seconds after which a task counts as stuck: a threshold, which the drill does not shorten."""


class Drill:
    """What is scraped, and who scrapes it.

    Attributes:
        box: The stack.
        web: A service whose routes misbehave; to Prometheus a second instance of the api.
        mute: A second instance of echo.
        still: A second api on the same database, which will stand still.
        prometheus: Scrapes all of them.
        noticed: Name and severity of the alerts that have fired when they were awaited.
    """

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        """Start everything."""
        self.noticed: set[tuple[str, str]] = set()
        settings = {
            "BUOY_MAX_CONNECTIONS": str(LIMIT),
            "BUOY_DB_POOL_SIZE": str(POOL),
        }
        box = onebox(folder / "data", folder / "out", environ=settings)
        self.box: Onebox = stack.enter_context(box)  # it starts while the others do
        died = (
            "worker died",
            "on purpose",
            "request failed",
            "worker blocked",
            "event loop",
            "WORKER TIMEOUT",
        )
        self.needed = folder / "needed"
        self.needed.touch()
        needs = {"BUOY_WEB_NEEDS": str(self.needed)}
        self.web: Program = stack.enter_context(running("web", WATCHED | needs, complaints=died))
        self.mute: Program = stack.enter_context(running("echo", DEAF_FOR_LONG))
        self.still = stack.enter_context(beside(self.box.await_ready()))
        apis = address(self.box, "api admin"), self.web.admin_address, self.still.admin_address
        self.targets = {
            "echo": [address(self.box, "echo admin"), self.mute.admin_address],
            "api": apis,
        }
        self.prometheus: Prometheus = stack.enter_context(
            prometheus(folder / "prometheus", self.targets)
        )
        stack.enter_context(visited(self.box, VISITORS))

    def awaits(self, *expected: str, within: float = NOTICED) -> None:
        """Wait until these alerts fire, as ``name``, ``name/severity`` or ``name@job``."""
        left = set(expected)

        def all_seen() -> bool:
            firing = self.firing()
            self.noticed.update(firing[each] for each in left & firing.keys())
            left.difference_update(firing)
            return not left

        try:
            eventually(all_seen, within)
        except AssertionError as error:
            raise AssertionError(f"not fired: {left}; fires: {set(self.firing())}") from error

    def awaits_silence(self, unless: frozenset[str] = frozenset()) -> None:
        """Wait until nothing fires, and until each of ``unless`` has been seen not to fire."""
        left = set(unless)

        def over() -> bool:
            firing = self.prometheus.firing()
            left.intersection_update(firing)
            return not left and firing <= unless

        try:
            eventually(over, OVER)
        except AssertionError as error:
            raise AssertionError(f"fires for ever: {self.firing()}") from error

    def firing(self) -> dict[str, tuple[str, str]]:
        """Return name and severity of what fires, by all that :meth:`awaits` may call it."""
        found = {}
        for labels in (alert["labels"] for alert in self.prometheus.alerts()):
            name, severity = labels["alertname"], labels["severity"]
            for called in name, f"{name}/{severity}", f"{name}@{labels.get('job')}":
                found[called] = name, severity
        return found

    @contextmanager
    def full(self) -> Iterator[None]:
        """Echo holds as many connections as it may, and one client more knocks now and then."""
        echo = address(self.box, "echo")
        with ExitStack() as clients, repeating(lambda: knock(echo)):
            for _ in range(LIMIT):
                clients.enter_context(socket.create_connection(echo, timeout=20))
            yield

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody can read users."""
        lock = "DO $$ BEGIN LOCK TABLE users IN ACCESS EXCLUSIVE MODE; PERFORM pg_sleep(60); END $$"
        held = (
            "SELECT count(*) FROM pg_locks WHERE relation = 'users'::regclass "
            "AND mode = 'AccessExclusiveLock' AND granted"
        )
        thread = threading.Thread(target=self._cancelled, args=(lock,))
        thread.start()
        try:
            eventually(lambda: self.box.sql(held))
            yield
        finally:
            self.box.sql(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
                "WHERE query LIKE 'DO %pg_sleep%' AND pid <> pg_backend_pid()"
            )
            thread.join()

    @contextmanager
    def unreadable(self) -> Iterator[None]:
        """Nobody may read users."""
        self.box.sql("REVOKE SELECT ON users FROM bellbuoy_app")
        try:
            yield
        finally:
            self.box.sql("GRANT SELECT ON users TO bellbuoy_app")

    @contextmanager
    def no_database(self) -> Iterator[None]:
        """PostgreSQL is killed, and who would start it again is held."""
        pidfile = self.box.data / "postgres" / "postmaster.pid"
        self.box.process.send_signal(signal.SIGSTOP)
        psutil.Process(int(pidfile.read_text().split()[0])).send_signal(signal.SIGQUIT)
        try:
            yield
        finally:
            self.box.process.send_signal(signal.SIGCONT)
            eventually(self._has_database)

    @contextmanager
    def withdrawn(self) -> Iterator[None]:
        """An operator took echo out of the traffic."""
        self._order(ready=False)
        try:
            yield
        finally:
            self._order(ready=True)

    @contextmanager
    def out_of_descriptors(self) -> Iterator[None]:
        """A worker may open no more files, and clients wait to be accepted."""
        (worker,) = self.mute.traffic()
        before = resource.prlimit(worker, resource.RLIMIT_NOFILE)
        open_now = len(os.listdir(f"/proc/{worker}/fd"))  # noqa: PTH208 - it counts
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (open_now, before[1]))
        try:
            with connected(self.mute.address, 10):  # numbers are not without gaps
                yield
        finally:
            resource.prlimit(worker, resource.RLIMIT_NOFILE, before)

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """A worker stands still with a request in hand, and a migration comes that it misses.

        Begun while users are locked, so that the request cannot be over before.
        """
        oldest = "asyncmonitor_task_oldest_start_timestamp_seconds"
        (worker,) = map(psutil.Process, self.still.traffic())
        token = (self.box.data / "dev.token").read_text().strip()
        threads: list[threading.Thread] = []

        def has_one() -> bool:
            return self.still.metrics().value(oldest, task="users.list") > 0

        def is_caught() -> bool:
            worker.resume()
            threads.append(threading.Thread(target=ask, args=(self.still.address, "/users", token)))
            threads[-1].start()
            eventually(has_one)
            worker.suspend()
            return has_one()  # or it has overrun its deadline in the meantime

        eventually(is_caught)
        self.box.sql(
            "INSERT INTO schema_migrations SELECT 9999, 'drill', checksum, 1, now() "
            "FROM schema_migrations WHERE version = 1"
        )
        try:
            yield
        finally:
            worker.resume()
            self.box.sql("DELETE FROM schema_migrations WHERE version = 9999")
            for thread in threads:
                thread.join()

    @contextmanager
    def deaf(self) -> Iterator[None]:
        """An admin process does not answer."""
        (admin,) = map(psutil.Process, eventually(self.mute.admin))
        admin.suspend()
        try:
            yield
        finally:
            admin.resume()

    @contextmanager
    def unable_to_boot(self) -> Iterator[None]:
        """A worker is gone, and what is forked in its place fails before it serves."""
        (worker,) = map(psutil.Process, self.web.await_workers(1))
        self.needed.unlink()
        worker.kill()
        try:
            yield
        finally:
            self.needed.touch()

    def _has_database(self) -> bool:
        with suppress(OSError, asyncpg.PostgresError):
            return self.box.sql("SELECT 1") == 1
        return False

    def _order(self, *, ready: bool) -> None:
        token = (self.box.data / "admin.token").read_text().strip()
        connection = http.client.HTTPConnection(*address(self.box, "echo admin"), timeout=20)
        headers = {"Authorization": f"Bearer {token}"}
        connection.request("PUT", "/readiness", json.dumps({"ready": ready}), headers)
        assert connection.getresponse().status == 200
        connection.close()

    def _cancelled(self, statement: str) -> None:
        with pytest.raises(Exception, match="canceling statement"):
            self.box.sql(statement)


@contextmanager
def beside(box: Onebox) -> Iterator[Program]:
    """Run one more api on a onebox's database; its supervisor is patient with a worker."""
    theirs = box.child("api").environ()
    environ = {name: value for name, value in theirs.items() if name.startswith("BUOY_")}
    del environ["BUOY_DATA_DIR"]  # it is no part of the onebox
    program = Program([sys.executable, "-m", "api"], environ | ports("api") | DEAF_FOR_LONG)
    try:
        program.await_workers(1)
        yield program
    finally:
        left = program.end()
    assert left == []
