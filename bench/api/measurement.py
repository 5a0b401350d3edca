"""Rounds: every contestant under every scenario, alternating, on a core of its own."""

import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from bench.api.contestants import Entry, entries
from bench.api.load import generate
from bench.api.postgres import Postgres
from bench.api.scenarios import SCENARIOS, Scenario, verify
from bench.echo.contestants import Running, running
from bench.echo.cost import cpu_seconds
from onebox import postmaster

SERVER_CORE = 0

WARM_UP_SECONDS = 1.0


@dataclass(frozen=True)
class Sample:
    """One round of one contestant.

    Args:
        cpu_us: CPU time a request of the server and all its children, in microseconds.
        database_cpu_us: The same of PostgreSQL, which shares the load generator's core.
        per_second: Answers a second.
        p50_ms: Median latency, in milliseconds.
        p99_ms: 99th percentile.
    """

    cpu_us: float
    database_cpu_us: float
    per_second: float
    p50_ms: float
    p99_ms: float


Row = dict[str, float]
"""The medians of one contestant, by field of :class:`Sample`."""

Results = dict[str, dict[str, Row]]
"""By scenario, then by contestant."""


@dataclass(frozen=True)
class Arena:
    """The contestants, all of them running all the time, one of them under load.

    Whatever else the machine does hits all alike.
    """

    postgres: Postgres
    entries: Mapping[str, Entry]
    servers: Mapping[str, Running]

    def takes_part(self, scenario: Scenario) -> list[str]:
        """Return who takes part in a scenario."""
        return [name for name in scenario.contestants if name in self.servers]

    def verify(self, scenario: Scenario) -> None:
        """Return if everybody who takes part answers rightly."""
        for name in self.takes_part(scenario):
            verify(scenario, self.servers[name], self.entries[name], self.postgres)

    def sample(self, scenario: Scenario, name: str, number: int, seconds: float) -> Sample:
        """Put one server under load once.

        Args:
            scenario: What is asked.
            name: Whom.
            number: Differs for each call.
            seconds: How long.
        """
        server = self.servers[name]
        database = postmaster.read(self.postgres.cluster.data)
        assert database is not None
        prefix = f"made{number}-{server.port}-"
        kind, value = scenario.what
        what = (kind, value.replace("PREFIX", prefix))
        before, stored = cpu_seconds(server.pid), cpu_seconds(database.pid)
        headers = self.entries[name].headers
        seen = generate(server.port, what, scenario.connections, seconds, headers)
        used, asked = cpu_seconds(server.pid) - before, cpu_seconds(database.pid) - stored
        if kind == "create":
            self._require_rows(prefix, seen.requests, scenario.connections)
        return Sample(
            cpu_us=used / seen.requests * 1e6,
            database_cpu_us=asked / seen.requests * 1e6,
            per_second=seen.per_second,
            p50_ms=seen.p50_us / 1e3,
            p99_ms=seen.p99_us / 1e3,
        )

    def _require_rows(self, prefix: str, answered: int, in_flight: int) -> None:
        """What was acknowledged is there; what was in flight at the end may be."""
        # The prefix is ours; its dashes and digits mean nothing to LIKE.
        found = int(self.postgres.ask(f"SELECT count(*) FROM users WHERE email LIKE '{prefix}%'"))  # noqa: S608
        assert answered <= found <= answered + in_flight, f"{answered} answers, {found} rows"


@contextmanager
def arena(folder: Path, postgres: Postgres, names: Sequence[str] = ()) -> Iterator[Arena]:
    """Start the contestants that take part in anything, or those with ``names``."""
    everyone = entries(folder, postgres)
    chosen = {name: entry for name, entry in everyone.items() if not names or name in names}
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(running(entry.contestant, SERVER_CORE))
            for name, entry in chosen.items()
        }
        yield Arena(postgres, chosen, servers)


def measure(
    place: Arena, rounds: int, seconds: float, scenarios: Sequence[Scenario] = SCENARIOS
) -> Results:
    """Return the medians of ``rounds`` rounds of ``seconds`` each."""
    results: Results = {}
    number = 0
    for scenario in scenarios:
        place.verify(scenario)
        samples: dict[str, list[Sample]] = defaultdict(list)
        for name in place.takes_part(scenario):
            number += 1
            place.sample(scenario, name, number, WARM_UP_SECONDS)
        for _ in range(rounds):
            for name in place.takes_part(scenario):
                number += 1
                samples[name].append(place.sample(scenario, name, number, seconds))
        results[scenario.name] = {name: medians(each) for name, each in samples.items()}
    return results


def medians(samples: Sequence[Sample]) -> Row:
    """Return the median of each field."""
    return {
        field.name: round(statistics.median(getattr(each, field.name) for each in samples), 3)
        for field in fields(Sample)
    }
