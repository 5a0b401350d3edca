"""The view: what the page is told, at first and then every second.

Law of this file: names and numbers, no words of markup; the page shows all of it as text. No
setting, no secret, no address of a client gets in here.
"""

import platform
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

import bellbuoy
from bellbuoy.host.statuspage.charts import Chart, limits
from bellbuoy.host.statuspage.finding import Level
from bellbuoy.host.statuspage.history import SAMPLES, History, Incident, Values
from bellbuoy.host.statuspage.interval import Interval
from bellbuoy.host.statuspage.refusals import Refusal, refusals
from bellbuoy.host.statuspage.summary import calm, load
from bellbuoy.host.statuspage.tables import (
    Number,
    ProcessRow,
    TaskRow,
    Use,
    Waiting,
    others,
    processes,
    running,
    tasks,
)
from bellbuoy.taskview import view

SPARK = 60
"""Seconds that the small picture beside a task name shows."""


@dataclass(frozen=True)
class Moment:
    """What is told every second.

    Args:
        at: Unix time in seconds; the page knows no other clock.
        level: How bad it is, ``None`` when nothing is wrong.
        calm: The sentence for when nothing is wrong.
        load: The sentence that says how much is going on.
        current: What is wrong, worst first.
        recent: What was wrong a moment ago.
        incidents: What was and is wrong, newest first.
        values: Of each chart, the value of each line.
        rates: Of each task name, how many calls began in the last second.
        limits: Of the charts that have one.
        processes: All of them.
        tasks: Every task name.
        running: The oldest running tasks.
        refusals: What was turned away.
        others: Numbers without a chart.
    """

    at: float
    level: Level | None
    calm: str
    load: str
    current: list[Incident]
    recent: Incident | None
    incidents: list[Incident]
    values: Values
    rates: dict[str, float]
    limits: dict[str, float | None]
    processes: list[ProcessRow]
    tasks: list[TaskRow]
    running: list[Waiting]
    refusals: list[Refusal]
    others: list[Number]


@dataclass(frozen=True)
class Legend:
    """What a chart is, for the page."""

    key: str
    title: str
    unit: str
    lines: list[tuple[str, str]]


@dataclass(frozen=True)
class Past:
    """What is told at first.

    Args:
        service: Its name.
        version: Of the chassis.
        python: Version of the interpreter.
        samples: How many moments the page keeps.
        charts: What the charts are.
        at: The time of each sample.
        levels: How bad it was at each.
        values: Of each chart and line, the values at those times.
        rates: Of each task name, how many calls began in a second, in the last minute.
    """

    service: str
    version: str
    python: str
    samples: int
    charts: list[Legend]
    at: list[float]
    levels: list[Level | None]
    values: dict[str, list[list[float | None]]]
    rates: dict[str, list[float]]


def moment(interval: Interval, shown: Sequence[Chart], history: History, use: Use) -> bytes:
    """Return the newest moment, after it was added to the history, as JSON."""
    newest, found = history.samples[-1], view(interval.after)
    return msgspec.json.encode(
        Moment(
            at=newest.at,
            level=newest.level,
            calm=calm(interval),
            load=load(interval),
            current=history.current,
            recent=history.recent(newest.at),
            incidents=history.incidents,
            values=newest.values,
            rates=newest.rates,
            limits=limits(shown, interval),
            processes=processes(interval, use),
            tasks=tasks(interval, found),
            running=running(found),
            refusals=refusals(interval),
            others=others(interval),
        )
    )


def past(service: str, shown: Sequence[Chart], history: History) -> bytes:
    """Return everything that is remembered, as JSON."""
    samples = tuple(history.samples)
    return msgspec.json.encode(
        Past(
            service=service,
            version=bellbuoy.__version__,
            python=platform.python_version(),
            samples=SAMPLES,
            charts=[_legend(chart) for chart in shown],
            at=[sample.at for sample in samples],
            levels=[sample.level for sample in samples],
            values={
                chart.key: [
                    [sample.values[chart.key][line] for sample in samples]
                    for line in range(len(chart.lines))
                ]
                for chart in shown
            },
            rates={
                name: [sample.rates.get(name, 0.0) for sample in samples[-SPARK:]]
                for name in (samples[-1].rates if samples else ())
            },
        )
    )


def _legend(chart: Chart) -> Legend:
    return Legend(
        chart.key, chart.title, chart.unit, [(line.label, line.tone) for line in chart.lines]
    )
