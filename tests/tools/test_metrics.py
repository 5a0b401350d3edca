"""The generator of the metric tables, on families made for the purpose."""

import pytest

from bellbuoy.metrics import NameTable, counter, gauge, histogram
from tools.metrics import BEGIN, END, document, rendered, rows

BUOYS = NameTable("buoys", ("buoy",), 12)


def test_a_declared_family_is_a_row() -> None:
    """With the values of its labels, or how many there may be."""
    families = (
        counter("rings_total", "Rings.", labels={"how": ("on", "off")}, names=BUOYS),
        gauge("adrift", "This | that."),
        histogram("depth_metres", "Depths.", buckets=(1.0,)),
    )
    assert list(rows(families)) == [
        "| `rings_total` | counter | `buoy` (at most 12, then `other`); `how`: on, off | Rings. |",
        "| `adrift` | gauge |  | This \\| that. |",
        "| `depth_metres` | histogram |  | Depths. |",
    ]


def test_what_the_host_adds_is_found_by_rendering() -> None:
    """Every process' numbers, and what runs."""
    told = "\n".join(rendered())
    assert "| `process_cpu_seconds_total` | counter | `process` |" in told
    assert "| `python_gc_collections_total` | counter | `process`, `generation` |" in told
    assert "| `bellbuoy_build_info` | gauge | `service`, `version`, `revision`," in told


def test_only_what_stands_between_the_marks_is_written() -> None:
    """And twice is as once."""
    written = document(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    assert written.startswith(f"before\n{BEGIN}\n")
    assert written.endswith(f"{END}\nafter\n")
    assert "old\n" not in written
    assert document(written) == written


def test_a_document_without_marks_is_left_alone() -> None:
    """Somebody has to decide where they belong."""
    with pytest.raises(SystemExit, match="marks"):
        document("no marks")
