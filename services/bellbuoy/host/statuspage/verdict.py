"""The verdict: what is wrong, what it means for clients, and where to look.

Law of this file: it is computed from an interval and nothing else, and it says in full sentences
what a person needs who sees this page once a year, at night. Where nothing is wrong it is silent.
"""

from collections.abc import Callable, Iterator

from bellbuoy.host.probes import FRESH
from bellbuoy.host.statuspage.consequence import consequence
from bellbuoy.host.statuspage.finding import Finding, worst_first
from bellbuoy.host.statuspage.interval import Interval
from bellbuoy.host.statuspage.shortage import shortage
from bellbuoy.host.statuspage.summary import count, figure
from bellbuoy.lifecycle import State
from bellbuoy.snapshot import Process

SETTLED = 2.0
"""Seconds after which a worker has tried whether PostgreSQL answers."""

LOST = 10.0
"""Seconds without a sign of life after which the supervisor is missed; it beats every second."""

LATE = 0.1
"""Seconds of event-loop lag that clients begin to feel."""

RESTLESS = 3
"""Deaths within the interval that are no accident any more."""


def judge(interval: Interval) -> list[Finding]:
    """Return what is not as it should be, worst first."""
    found = [finding for rule in _RULES for finding in rule(interval)]
    return worst_first(found, lambda finding: finding.level)


def _supervisor(interval: Interval) -> Iterator[Finding]:
    age = interval.after.supervisor_beat_age
    if age > LOST:
        yield Finding(
            "supervisor",
            "bad",
            "The supervisor shows no sign of life",
            f"No worker that dies will be replaced; {_who_serves(interval)}.",
            "Restart the service; /livez tells an orchestrator to.",
            age,
        )


def _stopping(interval: Interval) -> Iterator[Finding]:
    if not interval.after.stopping:
        return
    left = sum(process.connections for process in interval.after.traffic)
    yield Finding(
        "draining",
        "warn",
        "Draining: the service was told to stop",
        f"{count(left, 'connection')} left. What was accepted is finished; clients are told to go "
        "elsewhere.",
        "Nothing to do if you stopped it. It ends within BUOY_DRAIN_TIMEOUT_SECONDS.",
    )


def _withdrawn(interval: Interval) -> Iterator[Finding]:
    if interval.after.withdrawn and not interval.after.stopping:
        yield Finding(
            "withdrawn",
            "warn",
            "Withdrawn: an operator took this container out of the traffic",
            "/readyz answers 503, so no new traffic should come; whoever comes is served.",
            'PUT /readiness {"ready": true} puts it back. The log says when: readiness ordered.',
        )


def _not_ready(interval: Interval) -> Iterator[Finding]:
    if interval.after.stopping or _in(interval, State.READY):
        return
    if not _in(interval, State.STARTING):
        yield Finding(
            "no-worker",
            "bad",
            "No worker is there",
            "Clients can connect, and nobody answers them.",
            "The log: every worker dies as it starts, and says why. It is tried again.",
        )
    else:
        yield _starting(interval)


def _starting(interval: Interval) -> Finding:
    asked = any(_age(interval, p) > SETTLED for p in _in(interval, State.STARTING))
    if asked and interval.knows("db_up"):
        down = interval.value("db_up") == 0
        return Finding(
            "starting",
            "bad",
            "No worker is ready: PostgreSQL does not answer"
            if down
            else "No worker is ready: waiting for a schema that fits",
            "No traffic should be sent here yet: /readyz answers 503.",
            "Is PostgreSQL up, and are BUOY_DB_HOST and the password right?"
            if down
            else "Were the migrations run (python -m api migrate)? The log names both versions.",
        )
    return Finding(
        "starting",
        "warn" if asked else "note",
        "Starting: no worker is ready yet",
        "No traffic should be sent here yet: /readyz answers 503.",
        "The log, if it lasts longer than a few seconds.",
    )


def _blocked(interval: Interval) -> Iterator[Finding]:
    traffic = interval.after.traffic
    blocked = [p for p in traffic if p.state is State.READY and p.beat_age > FRESH]
    if not blocked:
        return
    everybody = len(blocked) == len(traffic)
    names = _names(blocked)
    held = sum(process.connections for process in blocked)
    yield Finding(
        "blocked",
        "warn" if _serving(interval) else "bad",
        f"{'Every worker is blocked' if everybody else f'{names} blocked'}: no sign of life",
        "Nobody is answered."
        if everybody
        else f"{count(held, 'connection')} wait there; {_who_serves(interval)}.",
        "Something holds the event loop: the log names it (worker blocked, loop blocked). "
        "The watchdog kills and replaces the worker.",
        max(process.beat_age for process in blocked),
    )


def _deaths(interval: Interval) -> Iterator[Finding]:
    gains = interval.gains("bellbuoy_worker_deaths_total")
    how = {labels["how"]: int(gain) for labels, gain in gains if gain}
    total = sum(how.values())
    if not total:
        return
    words = {
        "signal": "killed by a signal",
        "watchdog": "killed by the watchdog, because it was blocked",
        "exit": "gone by itself",
    }
    causes = ", ".join(words.get(each, each) for each in how)
    yield Finding(
        "deaths",
        "bad" if total >= RESTLESS else "warn",
        f"{'A worker' if total == 1 else f'{total} workers'} died: {causes}",
        f"Connections were cut, what was in hand is counted as lost; {_who_serves(interval)}."
        if total < RESTLESS
        else "Workers keep dying: clients lose connections again and again.",
        "It was replaced. After `kill -9` or out of memory the kernel's log knows more; "
        "otherwise ours does.",
    )


def _database(interval: Interval) -> Iterator[Finding]:
    if interval.after.stopping or not _in(interval, State.READY):
        return
    if not interval.knows("db_up") or interval.value("db_up"):
        return
    yield Finding(
        "database",
        "bad",
        "PostgreSQL does not answer",
        consequence(interval),
        "Mend PostgreSQL: is it running, can it be reached? Here is nothing to do, the service "
        "heals by itself.",
    )


def _full(interval: Interval) -> Iterator[Finding]:
    rate = interval.rate("bellbuoy_connections_rejected_total", reason="limit")
    if rate:
        yield Finding(
            "full",
            "bad",
            "Full: new connections are refused",
            f"{figure(rate)} clients a second are closed at once; those that are connected are "
            "served.",
            "BUOY_MAX_CONNECTIONS and the limit of file descriptors, or more replicas.",
        )
    if interval.gained("bellbuoy_accept_pauses_total"):
        yield Finding(
            "exhausted",
            "bad",
            "The machine is out of file descriptors or memory",
            "New clients wait until some are free.",
            "The limits of this machine or container: it was full before the cap.",
        )


def _overload(interval: Interval) -> Iterator[Finding]:
    name = "http_requests_rejected_total"
    if rate := interval.rate(name, reason="full") + interval.rate(name, reason="late"):
        yield Finding(
            "overload",
            "bad",
            "Overload: requests are refused",
            f"{figure(rate)} requests a second get an answer at once that says when to come back; "
            "the rest is served.",
            "Slow statements or a busy worker (below), or more replicas.",
        )
    if rate := interval.rate(name, reason="rate"):
        yield Finding(
            "limited",
            "note",
            "Some clients come too often",
            f"{figure(rate)} requests a second are answered with 429; other clients notice "
            "nothing.",
            "Nothing to do, unless the limit is too low for them: see the service's settings.",
        )


def _bugs(interval: Interval) -> Iterator[Finding]:
    bugs = interval.gained("http_exceptions_total")
    if bugs:
        yield Finding(
            "bugs",
            "bad",
            "Requests meet a bug of ours",
            f"{count(int(bugs), 'request')} answered with 500 in the last "
            f"{interval.seconds:.0f} s.",
            "The log: `request failed`, with the request id and the traceback.",
        )


def _late(interval: Interval) -> Iterator[Finding]:
    lag = interval.percentile("asyncio_loop_lag_seconds", 0.99)
    if lag is not None and lag > LATE:
        yield Finding(
            "late",
            "warn",
            "The event loop is late",
            f"Answers come {lag * 1000:.0f} ms late.",
            "A worker near 100 % of a processor, or code that blocks: the log names it.",
        )


_RULES: tuple[Callable[[Interval], Iterator[Finding]], ...] = (
    _supervisor,
    _not_ready,
    _database,
    _blocked,
    _full,
    shortage,
    _bugs,
    _stopping,
    _withdrawn,
    _deaths,
    _overload,
    _late,
)


def _in(interval: Interval, state: State) -> list[Process]:
    return [process for process in interval.after.traffic if process.state is state]


def _serving(interval: Interval) -> list[Process]:
    return [process for process in _in(interval, State.READY) if process.beat_age <= FRESH]


def _who_serves(interval: Interval) -> str:
    serving = len(_serving(interval))
    if not serving:
        return "no worker is ready to serve"
    return f"{count(serving, 'worker')} {'serves' if serving == 1 else 'serve'}"


def _age(interval: Interval, process: Process) -> float:
    return interval.at - process.born


def _names(processes: list[Process]) -> str:
    numbers = ", ".join(str(process.slot) for process in processes)
    return f"Worker {numbers} is" if len(processes) == 1 else f"Workers {numbers} are"
