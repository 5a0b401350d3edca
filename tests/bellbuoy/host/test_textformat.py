"""What is written is what prometheus_client would write, and what its parsers read back."""

import math
from collections.abc import Iterator
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import generate_latest as as_text
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as as_openmetrics
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import Collector

from bellbuoy.host.textformat import Exported, TextFormat, number
from bellbuoy.metrics import Family, Kind, NameTable, counter, histogram
from bellbuoy.snapshot import Series

KINDS: tuple[Kind, ...] = ("counter", "gauge", "histogram")
NAMES = st.from_regex(r"[a-z]{1,6}", fullmatch=True)
# All that UTF-8 can say, with what is escaped often.
TEXTS = st.text(st.one_of(st.sampled_from('\\\n"{},= é'), st.characters(codec="utf-8")), max_size=8)
COUNTS = st.one_of(st.integers(0, 2**60).map(float), st.floats(0, 1e18))
NUMBERS = st.one_of(COUNTS, st.floats())

RINGS = counter("rings_total", "Rings.", names=NameTable("buoys", ("buoy",), 9))
DEPTH = histogram("depth_metres", "Depths.", buckets=(1.0, 10.0))


class Reference(Collector):
    """The same families for prometheus_client."""

    def __init__(self, exported: list[Exported]) -> None:
        """Have these."""
        self._exported = exported

    def collect(self) -> Iterator[Metric]:
        """Yield each as a metric."""
        for family, series in self._exported:
            yield _metric(family, list(series))


def _metric(family: Family, series: list[Series]) -> Metric:
    if family.kind == "histogram":
        metric = HistogramMetricFamily(family.name, family.help, labels=family.label_names)
        edges = [*map(str, family.buckets), "+Inf"]
        for labels, (*counts, total) in series:
            buckets = list(zip(edges, accumulate(counts), strict=True))
            metric.add_metric(labels, buckets, sum_value=total)
        return metric
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    plain = kind(family.name, family.help, labels=family.label_names)
    for each in series:
        plain.add_metric(each.labels, each.value)
    return plain


def reference(exported: list[Exported], *, openmetrics: bool) -> str:
    """Return what prometheus_client writes."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Reference(exported))
    encode = as_openmetrics if openmetrics else as_text
    text: bytes = encode(registry)
    return text.decode()


@st.composite
def exports(draw: st.DrawFn) -> list[Exported]:
    """Return families of every kind, with any labels and any numbers."""
    return [
        draw(exported(f"{stem}_{place}"))
        for place, stem in enumerate(draw(st.lists(NAMES, max_size=4)))
    ]


@st.composite
def exported(draw: st.DrawFn, name: str) -> Exported:
    """Return one family."""
    labels = tuple(sorted(draw(st.sets(NAMES.map("label_{}".format), max_size=3)), reverse=True))
    names = NameTable("names", labels, 9) if labels else None
    kind: Kind = draw(st.sampled_from(KINDS))
    buckets: tuple[float, ...] = ()
    cells = st.tuples(COUNTS if kind == "counter" else NUMBERS)
    if kind == "histogram":
        edges = draw(st.sets(st.floats(-10, 1e9), max_size=3))
        buckets = tuple(sorted(edges))
        cells = st.tuples(*[COUNTS] * (len(buckets) + 1), NUMBERS)
    if kind == "counter":
        name += draw(st.sampled_from(["", "_total"]))
    family = Family(name, kind, draw(TEXTS), names=names, buckets=buckets)
    some = st.lists(st.tuples(*[TEXTS] * len(labels)), unique=True, max_size=3 if labels else 1)
    return family, [Series(each, draw(cells)) for each in draw(some)]


@pytest.mark.parametrize("openmetrics", [False, True])
@given(families=exports())
def test_it_is_what_prometheus_client_writes(families: list[Exported], openmetrics: bool) -> None:  # noqa: FBT001
    """Byte for byte, and the second time too, when it is remembered."""
    text = TextFormat(openmetrics=openmetrics)
    expected = reference(families, openmetrics=openmetrics)
    assert text.write(families).decode() == expected
    assert text.write(families).decode() == expected


@pytest.mark.parametrize("openmetrics", [False, True])
@given(first=COUNTS, second=COUNTS)
def test_what_changes_is_written_anew(openmetrics: bool, first: float, second: float) -> None:  # noqa: FBT001
    """And what does not, as it was; a name that comes late has its line."""
    text = TextFormat(openmetrics=openmetrics)
    for rung, deep in ((first, second), (second, second), (second, first), (first, second)):
        series = [Series(("north",), (rung,)), Series(("south",), (second,))]
        families: list[Exported] = [
            (RINGS, series[: 1 if rung == first else 2]),
            (DEPTH, [Series((), (deep, first, second, 3.5))]),
        ]
        assert text.write(families).decode() == reference(families, openmetrics=openmetrics)


@pytest.mark.parametrize("openmetrics", [False, True])
@given(label=TEXTS, rung=COUNTS)
def test_the_parsers_read_it_back(openmetrics: bool, label: str, rung: float) -> None:  # noqa: FBT001
    """Prometheus' own grammar, with any label value and any count."""
    if "\r" in label:  # the parsers of prometheus_client split lines there; Prometheus does not
        return
    text = TextFormat(openmetrics=openmetrics)
    written = text.write([(RINGS, [Series((label,), (rung,))])]).decode()
    parse = parse_openmetrics if openmetrics else parse_text
    (family,) = parse(written)
    (sample,) = family.samples
    assert (family.type, sample.labels, sample.value) == ("counter", {"buoy": label}, rung)


@pytest.mark.parametrize(
    "value, written",
    [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (999999.5, "999999.5"),
        (1e6, "1e+06"),
        (1234567.0, "1.234567e+06"),
        (-1234567.0, "-1234567.0"),
        (1e-7, "1e-07"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
    ],
)
def test_numbers_are_written_as_go_does(value: float, written: str) -> None:
    """For every reader of the format knows that."""
    assert number(value) == written


def test_it_remembers_no_more_than_there_are_series() -> None:
    """However often it writes and whatever it counts."""
    text = TextFormat(openmetrics=False)
    for rung in range(100):
        text.write([(RINGS, [Series((name,), (float(rung),)) for name in ("north", "south")])])
    assert [len(block._lines) for block in text._blocks.values()] == [2]
