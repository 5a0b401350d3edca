"""Faults made for real, and a real Prometheus that notices each of them and its end.

Its clock runs sixty times as fast as in production, see tests/prometheus.py. Several faults are
made at the same time, each on what the others leave alone.
"""

import re
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.drill import HUNG, NOTICED, Drill
from tests.integration.visiting import ask, repeating
from tests.prometheus import FOLDER, LATE, faster
from tests.waiting import eventually

pytestmark = pytest.mark.slow


@pytest.mark.timeout(300)
def test_every_fault_is_noticed_and_so_is_its_end(tmp_path: Path) -> None:
    """Nothing fires in health; then fault by fault what is meant for it; in the end nothing again.

    No alert is left out.

    A worker that stands still does so during all the others: what it hangs in takes a minute to
    count as hanging.
    """
    with ExitStack() as stack:
        drill = Drill(stack, tmp_path)
        eventually(lambda: drill.prometheus.query("slo:current_burn_rate:ratio"), NOTICED)
        assert drill.prometheus.firing() - LATE == set()
        lasting = stack.enter_context(ExitStack())
        with drill.full(), drill.out_of_descriptors(), drill.locked():
            lasting.enter_context(drill.withdrawn())
            lasting.enter_context(drill.standing_still())
            hung = time.monotonic() + HUNG
            with repeating(lambda: ask(drill.web.address, "/block?seconds=0.8")):
                drill.awaits("PoolSaturated", "PoolTimeouts")
                drill.awaits("ApiLatencyBurn/page", "ApiLatencyBurn/ticket")
                drill.awaits("LoopLag", "LoopBlocked", "FileDescriptorsNearLimit", "AcceptPaused")
            drill.awaits("ConnectionsNearLimit", "ConnectionsRefused", "EchoAvailabilityBurn/page")
        with drill.unreadable(), drill.deaf():
            drill.awaits("QueriesFail", "TargetDown")
            with repeating(lambda: ask(drill.web.address, "/refuse")):
                drill.awaits("RequestsRefused")
            with repeating(lambda: ask(drill.web.address, "/call")):
                drill.awaits("RetryBudgetExhausted")
            ask(drill.web.address, "/name")
            drill.awaits("TaskNamesDropped")
            ask(drill.web.address, "/fail")
            ask(drill.web.address, "/block?seconds=10")
            drill.awaits("RequestsCrash", "WorkerKilledByWatchdog")
            with drill.unable_to_boot():
                drill.awaits("RestartLoop", "NoReadyWorker")
        with drill.no_database():
            drill.awaits("DatabaseDown", "ApiAvailabilityBurn/page")
        drill.awaits("ApiAvailabilityBurn/ticket", "EchoAvailabilityBurn/ticket")
        drill.awaits("SchemaSkew", "Withdrawn@echo")
        drill.prometheus.retarget(drill.targets | {"echo": []})
        drill.awaits("TargetMissing")
        drill.prometheus.retarget(drill.targets)
        drill.awaits("TaskStuck", "TaskHangs", within=hung - time.monotonic() + NOTICED)
        alerts = drill.prometheus.alerts()
        assert not re.search(r"no value|error calling", str(alerts))
        lasting.close()
        drill.awaits_silence(unless=LATE)
        assert drill.prometheus.failures() == []
    alerts = [each for each in shipped() if "alert" in each]
    assert {(each["alert"], each["labels"]["severity"]) for each in alerts} == drill.noticed


def shipped() -> list[dict[str, Any]]:
    """Return every rule that we ship."""
    files = [yaml.safe_load(path.read_text()) for path in sorted((FOLDER / "rules").glob("*.yml"))]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def test_time_is_all_that_the_drill_changes() -> None:
    """Ranges and waits shrink; numbers, names and texts stay."""
    for rule in shipped():
        assert stretched(faster(rule)) == stretched(rule)
    assert faster({"expr": "rate(a[5m] offset 10m) > rate(a[6h])", "for": "1m"}) == {
        "expr": "rate(a[5000ms] offset 10000ms) > rate(a[35500ms])",
        "for": "1000ms",
    }


def stretched(rule: dict[str, Any]) -> dict[str, Any]:
    """Return a rule without its times."""
    return {
        **rule,
        "expr": re.sub(r"(\[|offset )(\d+[a-z]+)+", r"\1", rule["expr"]),
        "for": bool(rule.get("for")),
    }
