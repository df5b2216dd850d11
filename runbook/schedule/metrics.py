"""What a service does in figures, in Prometheus' text format: the journal added up as it is written.

https://prometheus.io/docs/instrumenting/exposition_formats. Counters begin at nought with the
service, as Prometheus expects of a process.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from runbook.journal import RunSummary
from runbook.journal.following import News
from runbook.model.definition import FixResult
from runbook.model.event import FixConcluded, FixDeclined, HostFinished, Mode, RunFinished
from runbook.model.policy import Source
from runbook.model.slices import whole_of
from runbook.model.verdict import Verdict

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

COUNTERS: Mapping[str, str] = {
    "runbook_runs_total": "Runs that came to their end.",
    "runbook_hosts_total": "Walks of hosts that came to their end, by verdict.",
    "runbook_causes_total": "Causes found, once for each host and run.",
    "runbook_fixes_total": "Fixes, by what they came to.",
    "runbook_guard_trips_total": "Fixes that a limit of the policy stood in the way of.",
}
HISTOGRAM = "runbook_repair_seconds"
GAUGES: Mapping[str, str] = {
    "runbook_requests": "Requests for runs that are not over, by stage.",
    "runbook_oldest_request_age_seconds": "How long the oldest request has waited to be started.",
    "runbook_approvals_waiting": "Runs that wait for a person to decide.",
    "runbook_paused": "1 while all that nobody watches is paused.",
    "runbook_notices_undelivered": "Messages to people that were not delivered yet.",
    "runbook_last_turn_timestamp_seconds": "When the service last looked at what is due.",
    "runbook_workers": "Workers on the database that have shown within 30 s that they live.",
    "runbook_worker_last_heartbeat_timestamp_seconds": "When each worker last showed that it lives.",
    "runbook_info": "1; the version is a label.",
}
NAMES = frozenset({*COUNTERS, *GAUGES, *(HISTOGRAM + end for end in ("_bucket", "_sum", "_count"))})
"""All that is told, by the names that queries use."""

_BOUNDS = (5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
_UNWATCHED = frozenset(source.value for source in Source if source is not Source.PERSON)

Labels = tuple[tuple[str, str], ...]


@dataclass(kw_only=True, slots=True)
class _Times:
    """How long something took: a count for each bound, the last for what is above all of them."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(_BOUNDS) + 1))
    sum: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(_BOUNDS, seconds)] += 1
        self.sum += seconds


class Figures:
    """Adds up news of the journal."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, Labels]] = Counter()
        self._repair: dict[Labels, _Times] = {}

    def take(self, news: Iterable[News]) -> None:
        """Take in what was written."""
        for one in news:
            by = one.run.operator if one.run.operator in _UNWATCHED else Source.PERSON.value
            runbook = one.run.runbook
            for entry in one.entries:
                match entry.event:
                    # Who waits for an answer is not at an end; that comes later.
                    case (
                        RunFinished(verdict=Verdict.WAITING) | HostFinished(verdict=Verdict.WAITING)
                    ):
                        pass
                    case RunFinished(verdict=verdict):
                        self._end(one.run, verdict, by)
                    case HostFinished(verdict=verdict, causes=causes):
                        self._count("hosts", runbook=runbook, verdict=verdict)
                        for cause in dict.fromkeys(causes):
                            self._count("causes", runbook=runbook, cause=cause)
                        if verdict is Verdict.RESOLVED and one.run.mode is Mode.RUN:
                            took_s = max(0.0, entry.at - one.run.started_at)
                            self._repair.setdefault((("runbook", runbook),), _Times()).add(took_s)
                    case FixConcluded(step=fix, result=result) if result is not FixResult.DECLINED:
                        self._count("fixes", runbook=runbook, fix=fix, result=result)
                    case FixDeclined(guard=guard) if guard:
                        self._count("guard_trips", runbook=runbook, guard=guard)
                    case _:
                        pass

    def _end(self, run: RunSummary, verdict: Verdict, by: str) -> None:
        """Count a run; one that is a slice is none of its own."""
        if whole_of(run.id) is None:
            self._count("runs", runbook=run.runbook, verdict=verdict, by=by)

    def text(self, gauges: Mapping[str, Mapping[Labels, float]]) -> str:
        """Return all of it, and `gauges` by name and labels, as Prometheus reads it."""
        lines: list[str] = []
        for name, about in COUNTERS.items():
            lines += _head(name, about, "counter")
            lines += [
                _line(name, labels, count)
                for (counted, labels), count in sorted(self._counts.items())
                if counted == name
            ]
        lines += _head(
            HISTOGRAM, "Time to repair: from a run's start to a host resolved.", "histogram"
        )
        for labels, times in sorted(self._repair.items()):
            lines += _buckets(labels, times)
        for name, about in GAUGES.items():
            lines += _head(name, about, "gauge")
            lines += [_line(name, *one) for one in sorted(gauges.get(name, {}).items())]
        return "\n".join(lines) + "\n"

    def _count(self, what: str, **labels: str) -> None:
        self._counts[f"runbook_{what}_total", tuple((k, str(v)) for k, v in labels.items())] += 1


def _buckets(labels: Labels, times: _Times) -> list[str]:
    lines, so_far = [], 0
    for bound, count in zip((*_BOUNDS, float("inf")), times.counts, strict=True):
        so_far += count
        told = "+Inf" if bound == float("inf") else f"{bound:g}"
        lines.append(_line(f"{HISTOGRAM}_bucket", (*labels, ("le", told)), so_far))
    return [
        *lines,
        _line(f"{HISTOGRAM}_sum", labels, times.sum),
        _line(f"{HISTOGRAM}_count", labels, so_far),
    ]


def _head(name: str, about: str, kind: str) -> list[str]:
    return [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]


def _line(name: str, labels: Labels, value: float) -> str:
    told = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
    return f"{name}{{{told}}} {value!r}" if told else f"{name} {value!r}"


def _escaped(text: str) -> str:
    plain = text.encode("utf-8", "replace").decode()
    return plain.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
