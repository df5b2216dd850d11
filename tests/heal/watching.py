"""Prometheus, the blackbox exporter and Alertmanager: they watch a site, and call who can heal it."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from tests.acceptance.program import PATIENCE_S, first_of, wait_until
from tests.heal.ground import Ground
from tests.heal.programs import ALERTMANAGER, BLACKBOX, PROMETHEUS, command_of

RULES = Path(__file__).resolve().parents[2] / "contrib/prometheus/runbook.rules.yml"

_LISTENING = re.compile(r'msg="?Listening on"? address=(\S+)')


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How soon is heard of what changes, in Prometheus' words.

    `every`: how often is looked. `lasting`: how long it has to last until an alert fires. `wait` and
    `interval`: how long Alertmanager waits before the first call about a group, and between calls.
    """

    every: str
    lasting: str
    wait: str
    interval: str


UNHURRIED = Pace(every="1s", lasting="3s", wait="1s", interval="5s")
HURRIED = Pace(every="250ms", lasting="250ms", wait="0s", interval="250ms")


@dataclass(frozen=True, kw_only=True, slots=True)
class Watchers:
    """What watches `ground`; the addresses are those of Prometheus and of Alertmanager."""

    ground: Ground
    prometheus: str
    alertmanager: str

    def alert(self) -> str:
        """Return the state of the site's alert as Prometheus has it: firing, pending or ""."""
        found = self._asked("/api/v1/alerts")["alerts"]
        states = [one["state"] for one in found if one["labels"]["alertname"] == "SiteDown"]
        return str(states[0]) if states else ""

    def notified(self) -> bool:
        """Say whether Alertmanager has an alert about the site."""
        _, content = self.ground.get(f"http://{self.alertmanager}/api/v2/alerts")
        return bool(json.loads(content))

    def figures(self, query: str) -> dict[str, float]:
        """Return what Prometheus answers, each with its labels' values."""
        found = self._asked(f"/api/v1/query?query={quote(query)}")["result"]
        return {_labelled(one["metric"]): float(one["value"][1]) for one in found}

    def _asked(self, path: str) -> Any:
        _, content = self.ground.get(f"http://{self.prometheus}{path}")
        return json.loads(content)["data"]


def _labelled(metric: dict[str, str]) -> str:
    told = {key: value for key, value in metric.items() if key not in {"instance", "job"}}
    name = told.pop("__name__", "")
    return " ".join([name, *(value for _, value in sorted(told.items()))])


@contextmanager
def watching(
    ground: Ground, folder: Path, pace: Pace, service: str, token: str
) -> Iterator[Watchers]:
    """Have the site watched; alerts go to `service`, an address, which knows `token`."""
    (folder / "alertmanager.token").write_text(token)
    with ExitStack() as stack:

        def start(program: str, configuration: object, *options: str) -> str:
            file = folder / f"{program}.yml"
            file.write_text(yaml.safe_dump(configuration, sort_keys=False))
            words = [f"--config.file={file}", "--web.listen-address=127.0.0.1:0", *options]
            return stack.enter_context(_started(ground, folder, program, words))

        blackbox = start(BLACKBOX, _blackbox(ground))
        alertmanager = start(
            ALERTMANAGER,
            _alertmanager(pace, service),
            f"--storage.path={folder / 'alerts'}",
            "--cluster.listen-address=",
        )
        (folder / "site.rules.yml").write_text(yaml.safe_dump(_rules(pace), sort_keys=False))
        prometheus = start(
            PROMETHEUS,
            _prometheus(ground, pace, blackbox, alertmanager, service),
            f"--storage.tsdb.path={folder / 'tsdb'}",
        )
        wait_until(lambda: ground.get(f"http://{prometheus}/-/ready")[0] == 200)
        yield Watchers(ground=ground, prometheus=prometheus, alertmanager=alertmanager)


@contextmanager
def _started(ground: Ground, folder: Path, program: str, words: list[str]) -> Iterator[str]:
    """Start a program, and give the address where it listens."""
    log = folder / f"{program}.log"
    with log.open("wb") as told:
        process = subprocess.Popen(
            [*ground.before, *command_of(program), *words],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=told,
        )

    def address() -> str | None:
        said = log.read_text()
        assert process.poll() is None, said
        found = _LISTENING.search(said)
        return found[1] if found else None

    try:
        yield first_of(address)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def _blackbox(ground: Ground) -> object:
    http = {"headers": {"Host": ground.server_name}, "preferred_ip_protocol": "ip4"}
    return {"modules": {"site": {"prober": "http", "timeout": "2s", "http": http}}}


def _alertmanager(pace: Pace, service: str) -> object:
    webhook = {
        "url": f"http://{service}/hooks/alertmanager",
        "send_resolved": True,
        "http_config": {"authorization": {"credentials_file": "alertmanager.token"}},
    }
    return {
        "route": {
            "receiver": "runbook",
            "group_by": ["alertname"],
            "group_wait": pace.wait,
            "group_interval": pace.interval,
        },
        "receivers": [{"name": "runbook", "webhook_configs": [webhook]}],
    }


def _rules(pace: Pace) -> object:
    rule = {
        "alert": "SiteDown",
        "expr": "probe_success == 0",
        "for": pace.lasting,
        "labels": {"severity": "critical"},
    }
    return {"groups": [{"name": "sites", "rules": [rule]}]}


def _prometheus(
    ground: Ground, pace: Pace, blackbox: str, alertmanager: str, service: str
) -> object:
    site = {
        "job_name": "sites",
        "metrics_path": "/probe",
        "params": {"module": ["site"]},
        "static_configs": [{"targets": [ground.url], "labels": {"instance": "web1"}}],
        "relabel_configs": [
            {"source_labels": ["__address__"], "target_label": "__param_target"},
            {"target_label": "__address__", "replacement": blackbox},
        ],
    }
    return {
        "global": {
            "scrape_interval": pace.every,
            "scrape_timeout": pace.every,
            "evaluation_interval": pace.every,
        },
        "rule_files": ["site.rules.yml", str(RULES)],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [
            site,
            {"job_name": "runbook", "static_configs": [{"targets": [service]}]},
        ],
    }
