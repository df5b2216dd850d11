"""From the records of our callback to reports: pure, trusting no more than it must.

A record says what Ansible attributes to a host; what a module put inside is data. A host of which
no result of ours came back was not looked at, however the process ended.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runbook.executor import (
    Ending,
    FixRequest,
    HostActed,
    HostObserved,
    HostPreviewed,
    HostsResolved,
    HostVerified,
    ObserveRequest,
    ParamProblem,
    PreviewRequest,
    Progress,
    Report,
    Request,
    UndoRequest,
    VerifyRequest,
    WatchRequest,
)
from runbook.executor.plan import Sampling
from runbook.model.definition import CheckResult, FixResult
from runbook.model.event import Acted
from runbook.model.observation import Observation, TaskChange, Texts, Verification
from runbook.model.verification import judge

Record = Mapping[str, Any]

SILENT = "no result came back from Ansible"


@dataclass(kw_only=True)
class _Host:
    """What has been told of one host so far."""

    begun: bool = False
    acting: str | None = None
    changes: list[TaskChange] = field(default_factory=list)
    trouble: str | None = None
    withheld: str | None = None
    lost: str | None = None
    acted: bool = False
    final: bool = False


@dataclass(kw_only=True)
class Translator:
    """Turns one request's records into reports, each host's final report exactly once."""

    request: Request
    sampling: Sampling | None = None
    _hosts: dict[str, _Host] = field(default_factory=dict)
    _order: list[str] = field(default_factory=list)
    resolved: bool = False

    def __post_init__(self) -> None:
        match self.request:
            case ObserveRequest(joining=True):
                pass
            case ObserveRequest(wants=wants):
                self._expect(wants)
            case _:
                self._expect(self.request.hosts)

    def _expect(self, hosts: Sequence[str] | Mapping[str, Any]) -> None:
        for host in hosts:
            self._hosts[host] = _Host()

    def feed(self, record: Record) -> list[Report]:
        """Take one record; return what it means."""
        match record.get("kind"):
            case "hosts":
                return self._on_hosts(record)
            case "began":
                return self._on_began(record)
            case "ours":
                return self._on_ours(record)
            case "sampling":
                return self._on_action_over(str(record["host"]))
            case "observed":
                return self._on_observed(record)
            case "task":
                return self._on_task(record)
            case _:
                return []

    def finish(self, ending: Ending, reason: str | None) -> list[Report]:
        """Say what is known of every host that has no final report when the process is over."""
        reports: list[Report] = []
        for name, host in self._hosts.items():
            if not host.final:
                reports += self._settle(name, host, ending, reason)
        return reports

    # Records

    def _on_hosts(self, record: Record) -> list[Report]:
        hosts = tuple(str(host) for host in record["hosts"])
        self._expect(hosts)
        self.resolved = True
        return [
            HostsResolved(
                request=self.request.id,
                hosts=hosts,
                params=record["params"],
                problems=tuple(ParamProblem(**problem) for problem in record["problems"]),
            )
        ]

    def _on_began(self, record: Record) -> list[Report]:
        host = self._hosts.get(str(record["host"]))
        if host is None:
            return []
        host.acting = str(record["task"])
        return [Progress(request=self.request.id, host=str(record["host"]), text=host.acting)]

    def _on_ours(self, record: Record) -> list[Report]:
        name = str(record["host"])
        host = self._hosts.get(name)
        if host is None:
            return []
        if record["task"] == "runbook_begin":
            host.begun = True
            return []
        if record["task"] == "runbook_end":
            return self._on_action_over(name)
        return []

    def _on_action_over(self, name: str) -> list[Report]:
        """Report what the action did; a failed task that was rescued is no failure."""
        host = self._hosts.get(name)
        if host is None or host.acted or not isinstance(self.request, FixRequest | UndoRequest):
            return []
        return self._acted(name, host)

    def _acted(self, name: str, host: _Host) -> list[Report]:
        host.acted = True
        if host.lost is not None:
            host.final = True
            return [self._act(name, host, Acted.UNKNOWN, host.lost)]
        if host.trouble is not None:
            host.final = True
            return [self._act(name, host, Acted.FAILED, host.trouble)]
        changed = any(change.status == "changed" for change in host.changes)
        host.final = isinstance(self.request, UndoRequest)
        return [self._act(name, host, Acted.CHANGED if changed else Acted.UNCHANGED, None)]

    def _act(self, name: str, host: _Host, acted: Acted, reason: str | None) -> HostActed:
        return HostActed(
            request=self.request.id,
            host=name,
            acted=acted,
            changes=tuple(host.changes),
            reason=reason,
        )

    def _on_observed(self, record: Record) -> list[Report]:
        name = str(record["host"])
        host = self._hosts.get(name)
        if host is None or host.final:
            return []
        observations = {
            str(step): observation_from(data) for step, data in record["observations"].items()
        }
        reports: list[Report] = []
        match self.request:
            case ObserveRequest():
                texts = {
                    str(step): Texts(title=str(text["title"]), impact=str(text["impact"]))
                    for step, text in record["texts"].items()
                }
                wanted = self.request.wants.get(name, self.request.steps)
                reports = [self._observe(name, wanted, observations, SILENT, texts)]
            case WatchRequest():
                reports = [self._watch(name, record["rounds"], observations)]
            case FixRequest() | VerifyRequest():
                if isinstance(self.request, FixRequest) and not host.acted:
                    reports += self._on_action_over(name)
                if not host.final:
                    reports.append(self._verify(name, record["rounds"], observations))
        host.final = True
        return reports

    def _observe(
        self,
        name: str,
        wanted: Sequence[str],
        seen: Mapping[str, Observation],
        reason: str,
        texts: Mapping[str, Texts] | None = None,
    ) -> HostObserved:
        unseen = Observation(result=CheckResult.UNKNOWN, reason=reason)
        return HostObserved(
            request=self.request.id,
            host=name,
            observations={step: seen.get(step, unseen) for step in wanted},
            texts=texts or {},
        )

    def _watch(
        self, name: str, rounds: Sequence[Record], seen: Mapping[str, Observation]
    ) -> HostObserved:
        assert self.sampling is not None  # noqa: S101 -- for the type checker
        watched = self.sampling.symptom
        results = [str(item["results"].get(watched, "unknown")) for item in rounds]
        result = CheckResult.PASSED
        for worse in (CheckResult.UNKNOWN, CheckResult.FAILED):
            if worse.value in results:
                result = worse
        last = seen.get(watched)
        return HostObserved(
            request=self.request.id,
            host=name,
            observations={
                self.request.step
                if isinstance(self.request, WatchRequest)
                else watched: Observation(
                    result=result,
                    facts={
                        "samples": len(results),
                        "passed": results.count(CheckResult.PASSED.value),
                        "last": dict(last.facts) if last else {},
                    },
                    reason=last.reason if last else None,
                    expected=last.expected if last else None,
                    seen_at=last.seen_at if last else 0.0,
                    took_s=float(rounds[-1]["at_s"]) if rounds else 0.0,
                )
            },
        )

    def _verify(
        self, name: str, rounds: Sequence[Record], seen: Mapping[str, Observation]
    ) -> HostVerified:
        assert self.sampling is not None  # noqa: S101 -- for the type checker
        return HostVerified(
            request=self.request.id,
            host=name,
            verification=judged(self.sampling, rounds, seen),
        )

    def _on_task(self, record: Record) -> list[Report]:
        name = str(record["host"])
        host = self._hosts.get(name)
        if host is None or host.final:
            return []
        status, message = str(record["status"]), str(record["message"])
        if record["ours"]:
            return self._on_our_trouble(name, host, record)
        if status == "unreachable":
            host.lost = f"unreachable: {message}"
            return []
        if record["check"]:
            return []
        host.changes.append(
            TaskChange(
                name=str(record["task"]),
                status="failed" if status == "ignored" else status,
                message=message if status in ("failed", "ignored", "skipped") else "",
                diff=str(record["diff"]),
            )
        )
        if status == "failed":
            host.trouble = f"task “{record['task']}” failed: {message}"
        return []

    def _on_our_trouble(self, name: str, host: _Host, record: Record) -> list[Report]:
        status, message = str(record["status"]), str(record["message"])
        if status not in ("failed", "unreachable"):
            return []
        reason = f"unreachable: {message}" if status == "unreachable" else message
        if record["task"] != "runbook_begin":
            host.lost = reason
            return []
        host.withheld = reason
        if not isinstance(self.request, FixRequest | UndoRequest):
            return []
        host.acted = host.final = True
        return [self._act(name, host, Acted.WITHHELD, reason)]

    # The end

    def _settle(self, name: str, host: _Host, ending: Ending, reason: str | None) -> list[Report]:
        host.final = True
        why = host.lost or host.withheld or _why(ending, reason)
        match self.request:
            case ObserveRequest():
                wanted = self.request.wants.get(name, self.request.steps)
                return [self._observe(name, wanted, {}, why)]
            case WatchRequest():
                return [self._observe(name, (self.request.step,), {}, why)]
            case VerifyRequest():
                return [self._unverified(name, why)]
            case PreviewRequest():
                return [
                    HostPreviewed(
                        request=self.request.id,
                        host=name,
                        changes=tuple(host.changes),
                        failed=host.trouble
                        or host.lost
                        or host.withheld
                        or (None if ending is Ending.COMPLETED else why),
                    )
                ]
            case FixRequest() | UndoRequest():
                return self._settle_action(name, host, ending, why)

    def _settle_action(self, name: str, host: _Host, ending: Ending, why: str) -> list[Report]:
        if host.acted:
            return [self._unverified(name, why)]
        if host.withheld is not None or not host.begun:
            return [self._act(name, host, Acted.WITHHELD, why)]
        if host.trouble is not None and ending is Ending.COMPLETED:
            return [self._act(name, host, Acted.FAILED, host.trouble)]
        return [self._act(name, host, Acted.UNKNOWN, why)]

    def _unverified(self, name: str, why: str) -> HostVerified:
        return HostVerified(
            request=self.request.id,
            host=name,
            verification=Verification(result=FixResult.UNKNOWN, reason=why),
        )


def observation_from(data: Record) -> Observation:
    """Build the record of an observation our action plugin told."""
    return Observation(
        result=CheckResult(data["result"]),
        facts=data["facts"],
        reason=data.get("reason"),
        expected=data.get("expected"),
        seen_at=float(data.get("seen_at", 0.0)),
        took_s=float(data.get("took_s", 0.0)),
    )


def judged(
    sampling: Sampling, rounds: Sequence[Record], seen: Mapping[str, Observation]
) -> Verification:
    """Judge sampled rounds as the verification of a fix."""

    def results(step: str) -> list[CheckResult]:
        return [CheckResult(item["results"].get(step, "unknown")) for item in rounds]

    verdict = judge(
        results(sampling.cause) if sampling.cause is not None else [],
        results(sampling.symptom),
        sampling.hold_s,
    )
    return Verification(
        result=verdict.result,
        observations=seen,
        reason=verdict.reason,
        took_s=float(rounds[-1]["at_s"]) if rounds else 0.0,
    )


def _why(ending: Ending, reason: str | None) -> str:
    told = f": {reason}" if reason else ""
    match ending:
        case Ending.TIMED_OUT:
            return f"it took too long{told}"
        case Ending.CANCELLED:
            return f"it was stopped{told}"
        case Ending.BROKEN:
            return f"Ansible broke off{told}"
        case Ending.COMPLETED:
            return SILENT
