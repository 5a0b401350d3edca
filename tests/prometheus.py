"""A real Prometheus on the rules and the configuration that we ship, sixty times as fast.

Law of this file: nothing of the rules is written again. Time is what changes: in every range, every
``for`` and the lookback a minute becomes a second, and beyond the first half hour an hour does:
days of an error budget are too long to wait for, and a longer window stays the longer. Scrapes and
evaluations come twice a second, so that the shortest window holds four of them. Thresholds stay.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.repository.tree import ROOT
from tests.waiting import PATIENCE, eventually

FOLDER = ROOT / "deploy" / "prometheus"
FASTER = 60
LONG = 1800
"""Seconds beyond which time runs another sixty times as fast."""

SCRAPE = "500ms"

LATE = frozenset({"ApiLatencyBurn", "LoopBlocked", "LoopLag"})
"""Alerts that a machine busy with other tests sets off, and rightly."""

Address = tuple[str, int]
Sample = dict[str, Any]

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = r"(\d+)([smhd])"
_LISTENING = re.compile(r"Listening on\"? .*address=\"?(?:127\.0\.0\.1|\[::\]):(\d+)")


def scaled(duration: str) -> str:
    """Return how long a duration of Prometheus is here."""
    seconds = sum(int(count) * UNITS[unit] for count, unit in re.findall(_DURATION, duration))
    long = max(0, seconds - LONG)
    return f"{((seconds - long) + long // FASTER) * 1000 // FASTER}ms"


def faster(rule: dict[str, Any]) -> dict[str, Any]:
    """Return a rule of which all ranges, offsets and waits are scaled."""
    times = rf"(\[|offset )((?:{_DURATION})+)"
    expr = re.sub(times, lambda found: found[1] + scaled(found[2]), rule["expr"])
    return rule | {"expr": expr} | ({"for": scaled(rule["for"])} if "for" in rule else {})


def configuration(targets: Mapping[str, Sequence[Address]]) -> dict[str, Any]:
    """Return the configuration we ship, with these targets of its jobs, scraped often."""
    shipped: dict[str, Any] = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    often = {"scrape_interval": SCRAPE, "scrape_timeout": SCRAPE, "evaluation_interval": SCRAPE}
    jobs = [
        {key: value for key, value in job.items() if not key.endswith("_sd_configs")}
        | {"static_configs": [{"targets": [f"{h}:{p}" for h, p in targets[job["job_name"]]]}]}
        for job in shipped["scrape_configs"]
        if job["job_name"] in targets
    ]
    return shipped | {"global": shipped["global"] | often, "scrape_configs": jobs}


class Prometheus:
    """A running Prometheus; made by :func:`prometheus`.

    Args:
        folder: Where its configuration and its data lie.
        targets: Addresses to scrape by the name of the job.
    """

    def __init__(self, folder: Path, targets: Mapping[str, Sequence[Address]]) -> None:
        """Start it, and wait until it is ready."""
        self._folder = folder
        (folder / "rules").mkdir(parents=True)
        for file in sorted((FOLDER / "rules").glob("*.yml")):
            self._write_rules(file)
        self._configure(targets)
        self._log: list[str] = []
        self._port = 0
        self.process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--query.lookback-delta={scaled('5m')}",  # the default
                "--web.listen-address=127.0.0.1:0",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        eventually(lambda: self._port or self.process.poll() is not None)
        assert self.process.poll() is None, "".join(self._log)
        eventually(self._is_ready)

    def retarget(self, targets: Mapping[str, Sequence[Address]]) -> None:
        """Scrape these from now on, as if discovery had found them."""
        self._configure(targets)
        self.process.send_signal(signal.SIGHUP)

    def query(self, expression: str) -> list[Sample]:
        """Return the samples of an instant query.

        Raises:
            AssertionError: Prometheus does not accept it.
        """
        try:
            found = self._get("query", query=expression)
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{expression}: {error.read().decode()}") from error
        samples: list[Sample] = found["result"]
        return samples

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        return {alert["labels"]["alertname"] for alert in self.alerts()}

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts that fire, with labels and annotations."""
        return [each for each in self._get("alerts")["alerts"] if each["state"] == "firing"]

    def failures(self) -> list[str]:
        """Return the rules whose last evaluation failed, and why."""
        rules = [rule for group in self._get("rules")["groups"] for rule in group["rules"]]
        return [f"{rule['name']}: {rule['lastError']}" for rule in rules if rule["health"] == "err"]

    def end(self) -> None:
        """Stop it."""
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join(PATIENCE)
        assert self.process.stderr is not None
        self.process.stderr.close()

    def _get(self, path: str, **arguments: str) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self._port}/api/v1/{path}?{urllib.parse.urlencode(arguments)}"
        with urllib.request.urlopen(url, timeout=PATIENCE) as response:
            data: dict[str, Any] = json.load(response)["data"]
        return data

    def _is_ready(self) -> bool:
        try:
            url = f"http://127.0.0.1:{self._port}/-/ready"
            with urllib.request.urlopen(url, timeout=PATIENCE) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def _configure(self, targets: Mapping[str, Sequence[Address]]) -> None:
        content = yaml.safe_dump(configuration(targets))
        (self._folder / "prometheus.yml").write_text(content)

    def _write_rules(self, file: Path) -> None:
        groups = yaml.safe_load(file.read_text())["groups"]
        quick = [group | {"rules": [*map(faster, group["rules"])]} for group in groups]
        (self._folder / "rules" / file.name).write_text(yaml.safe_dump({"groups": quick}))

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._log.append(line)
            if found := _LISTENING.search(line):
                self._port = int(found[1])


@contextmanager
def prometheus(folder: Path, targets: Mapping[str, Sequence[Address]]) -> Iterator[Prometheus]:
    """Run a Prometheus until the block ends; where it is missing skip, but never in CI."""
    if not shutil.which("prometheus"):
        complaint = "prometheus is needed; on Debian and Ubuntu: apt install prometheus"
        if os.environ.get("CI"):
            pytest.fail(complaint)
        pytest.skip(complaint)
    started = Prometheus(folder, targets)
    try:
        yield started
    finally:
        started.end()
