"""Storms: ten thousand schedules, and a thousand alerts a minute of which most are repeats.

The schedules are those of one service and a clock of ours. The alerts go over HTTP to a real
`runbook serve`, whose runs are real ones on hosts that are this machine.
"""

import contextlib
import http.client
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from benchmarks.rows import Row, row
from runbook.journal.memory import MemoryJournal
from runbook.journal.sqlite import open_journal
from runbook.model.event import Observed
from runbook.schedule.approvals import Approvals
from runbook.schedule.intake import Intake
from runbook.schedule.pause import Switch
from runbook.schedule.queue import Queue
from runbook.schedule.requests import Stage
from runbook.schedule.service import Service
from runbook.schedule.state import FILE, opened
from runbook.schedule.timetable import Every, Schedule

SCHEDULES = 10_000
ALERTS = 1000
HOSTS = 40
STORM_S = 60.0
TOKEN = "0123456789abcdef"

RUNBOOK = """\
runbook: alive
title: The host answers
steps:
  - check: alive
    title: It has a root folder
    probe: {file: {path: /}}
    passes: alive.exists
    next: {passed: end(healthy), failed: end(unresolved)}
"""
SERVICE = """\
service: storm
listen: 127.0.0.1:0
runs_at_once: 8
hooks:
  - hook: storm
    kind: alertmanager
    bearer: token
    per_minute: 100000
    routes:
      - {route: all, when: {labels.alertname: Down}, runbook: alive, host: "{labels.instance}",
         within: storm, mode: diagnose}
"""


def schedules(folder: Path) -> list[Row]:
    """Measure what a second of ten thousand schedules costs while none is due, and count firings."""
    began = datetime(2026, 6, 1, 12, 0, 30, tzinfo=UTC)
    chosen = [
        Schedule(
            name=f"s{n}", runbook="r", pattern=f"h{n}", rhythm=Every(seconds=3600), jitter_s=60
        )
        for n in range(SCHEDULES)
    ]
    with opened(folder / "schedules.sqlite") as state:
        queue = Queue(state)
        service = Service(
            schedules=chosen,
            queue=queue,
            intake=Intake(state),
            approvals=Approvals(state),
            switch=Switch(state),
            journal=MemoryJournal(),
            command=lambda _kept, _again: (),
            log=lambda _what, _details: None,
            runs_at_once=0,  # What is started is another part's.
        )
        service.turn(began)
        times = [_turn_ms(service, began + timedelta(seconds=n)) for n in range(20)]
        service.turn(began + timedelta(hours=1, seconds=60))
        fired = len(queue.requests(Stage.QUEUED))
    if fired != SCHEDULES:
        sys.exit(f"{fired} of {SCHEDULES} schedules fired in their hour")
    return [row("a turn, 10,000 schedules, none due", "50 ms of CPU", median(times), 50, 1, "ms")]


def _turn_ms(service: Service, now: datetime) -> float:
    began = time.process_time()
    service.turn(now)
    service.next_due(now)
    return (time.process_time() - began) * 1000


@dataclass(kw_only=True)
class _Told:
    """What the service answered: what became of each alert, and when each request was made."""

    counts: dict[str, int] = field(default_factory=dict)
    asked_at: dict[int, float] = field(default_factory=dict)

    def add(self, answer: Mapping[str, Mapping[str, int]], at: float) -> None:
        """Count what became of the alerts of a call."""
        for what, alerts in answer.items():
            self.counts[what] = self.counts.get(what, 0) + len(alerts)
        for request in answer["accepted"].values():
            self.asked_at.setdefault(request, at)


def alerts(folder: Path) -> list[Row]:
    """Measure how soon a host is looked at after its alert, amid a thousand of them in a minute."""
    home = folder / "storm-home"
    _lay_out(folder)
    with _serving(folder, home) as (pid, address):
        told = _storm(address)
        _wait_until_over(home)
        peak_mb = _peak_mb(pid)
    sent = sum(told.counts.values())
    if sent != ALERTS or told.counts["refused"]:
        sys.exit(f"{ALERTS} alerts were sent, {told.counts} were answered for")
    waits = sorted(_waits(home, told))
    if len(waits) != len(told.asked_at):
        sys.exit(f"{len(told.asked_at)} requests were accepted, {len(waits)} were looked at")
    tail = waits[math.ceil(len(waits) * 0.99) - 1]
    accepted, joined = told.counts["accepted"], told.counts["joined"]
    work = f"alert to first look, {accepted} new and {joined} repeats"
    return [
        row(f"{work}: median", "5 s", median(waits), 5, 1, "s"),
        row(f"{work}: p99", "30 s", tail, 30, 1, "s"),
        row("the service's memory in the storm", "200 MB", peak_mb, 200, 1, "MB"),
    ]


def _lay_out(folder: Path) -> None:
    (folder / "library").mkdir()
    (folder / "library/alive.yml").write_text(RUNBOOK)
    (folder / "storm.yml").write_text(SERVICE)
    (folder / "token").write_text(TOKEN)
    names = "\n".join(f"host{n} ansible_connection=local" for n in range(HOSTS))
    (folder / "storm.ini").write_text(
        f"[storm]\n{names}\n[storm:vars]\nansible_python_interpreter={sys.executable}\n"
    )


@contextlib.contextmanager
def _serving(folder: Path, home: Path) -> Iterator[tuple[int, str]]:
    """Have the service run; give its process and where it listens."""
    log = folder / "storm.log"
    settings = {"HOME": home, "LIBRARY": folder / "library", "INVENTORY": folder / "storm.ini"}
    environment = {f"RUNBOOK_{name}": str(value) for name, value in settings.items()}
    command = [sys.executable, "-m", "runbook", "serve", "storm.yml", "--json"]
    with log.open("wb") as told:
        service = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environment}, stderr=told
        )
    try:
        while (found := re.search(r'"address": "([^"]+)"', log.read_text())) is None:
            if service.poll() is not None:
                sys.exit(log.read_text())
            time.sleep(0.05)
        yield service.pid, found[1]
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait()


def _storm(address: str) -> _Told:
    """Send the alerts, evenly over the time of the storm, one a call; each host's again and again."""
    told = _Told()
    began = time.time()
    for number in range(ALERTS):
        time.sleep(max(0.0, began + number * STORM_S / ALERTS - time.time()))
        # New hosts turn up for as long as it lasts, as they do when something spreads.
        host = number % max(1, min(HOSTS, 1 + number * HOSTS // (ALERTS // 2)))
        connection = http.client.HTTPConnection(address, timeout=60)
        at = time.time()
        connection.request(
            "POST", "/hooks/storm", _notification(host), {"Authorization": f"Bearer {TOKEN}"}
        )
        response = connection.getresponse()
        document = json.loads(response.read())
        connection.close()
        if response.status != http.client.ACCEPTED:
            sys.exit(f"{response.status}: {document}")
        document.pop("resolved")
        told.add(document, at)
    return told


def _notification(host: int) -> bytes:
    alert = {
        "status": "firing",
        "labels": {"alertname": "Down", "instance": f"host{host}"},
        "startsAt": "2026-06-01T12:00:00Z",
        "fingerprint": f"down-{host}",
    }
    return json.dumps({"version": "4", "alerts": [alert]}).encode()


def _wait_until_over(home: Path) -> None:
    with opened(home / FILE) as state:
        while Queue(state).requests(Stage.QUEUED, Stage.RUNNING):
            time.sleep(0.5)


def _peak_mb(pid: int) -> float:
    """Return the most memory that a process ever had."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) / 1024 if found else math.nan


def _waits(home: Path, told: _Told) -> Iterator[float]:
    """Yield, for each request that was looked into, the seconds from its alert to the first look."""
    with (
        opened(home / FILE) as state,
        contextlib.closing(open_journal(home / "journal.sqlite")) as journal,
    ):
        for kept in Queue(state).requests(*Stage):
            seen = (one.at for one in journal.entries(kept.run) if isinstance(one.event, Observed))
            first = next(seen, None)
            if first is not None:
                yield first - told.asked_at[kept.id]
