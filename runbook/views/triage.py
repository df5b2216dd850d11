"""What triage found, in words and as a document: which runbook fits, and why."""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

from runbook.driver.triage import Finding, Fit, Opening
from runbook.model.definition import Cause, CheckResult, Json
from runbook.model.event import Mode
from runbook.views.safe_text import printable
from runbook.views.telling import Mark, title_of
from runbook.views.words import (
    count,
    say_duration,
    say_expected,
    say_hosts,
    say_observation,
    shorten,
)

WIDTH = 79
_MOST_CHECKS = 4
_FITTING = frozenset({Fit.CAUSE, Fit.FAULT})
_MARKS = {CheckResult.FAILED: Mark.FAILED, CheckResult.UNKNOWN: Mark.UNKNOWN}


@dataclass(frozen=True, kw_only=True, slots=True)
class Triage:
    """One look for several runbooks.

    `findings` stand with the best fit first. `unsound` are runbooks that cannot be used, with the
    reason. `options` are those of the command line that the next command needs as well.
    """

    pattern: str
    symptom: str
    hosts: tuple[str, ...]
    findings: tuple[Finding, ...]
    unsound: Mapping[str, str]
    took_s: float
    options: tuple[str, ...] = ()

    @property
    def fitting(self) -> tuple[Finding, ...]:
        """The runbooks that say something is wrong."""
        return tuple(one for one in self.findings if one.fit in _FITTING)

    def command(self, finding: Finding) -> str:
        """Return the command that goes on with a runbook, on the hosts it fits."""
        words = ("--host", ",".join(finding.hosts), *self.options)
        name = finding.runbook.name
        return printable(f"runbook {Mode.RUN.value} {name} {shlex.join(words)}")


def triage_lines(triage: Triage, *, numbered: bool = False) -> Iterator[str]:
    """Yield what was found, in lines of at most `WIDTH` but for commands, which stay whole.

    Where they are to be chosen by their number, the runbooks go without their command.
    """
    yield shorten(
        f"{say_hosts(triage.hosts)}: looked at once for {count(len(triage.findings), 'runbook')}, "
        f"in {say_duration(triage.took_s)}",
        WIDTH,
    )
    for number, finding in enumerate(triage.fitting, start=1):
        yield ""
        yield from _found(triage, finding, number)
        if not numbered:
            yield f"   run    {triage.command(finding)}"
    yield ""
    if not triage.fitting:
        yield "No runbook found anything wrong."
    yield from _rest(triage)


def choices(triage: Triage) -> Iterator[str]:
    """Yield the runbooks that can be chosen, each in one line."""
    for number, finding in enumerate(triage.fitting, start=1):
        on = f" on {', '.join(map(printable, finding.hosts))}" if len(triage.hosts) > 1 else ""
        why = "; ".join(printable(cause.title) for cause in finding.causes)
        said = f": {why}" if why else ""
        yield shorten(f"  {number}  {finding.runbook.name}{on}{said}", WIDTH)


def _found(triage: Triage, finding: Finding, number: int) -> Iterator[str]:
    book = finding.runbook
    yield shorten(f"{number}  {book.name}: {printable(book.title)}", WIDTH)
    if len(triage.hosts) > 1:
        yield from _row("on", say_hosts(finding.hosts))
    if finding.candidate.symptoms:
        yield from _row("says", ", ".join(map(printable, finding.candidate.symptoms)))
    for cause in finding.causes:
        yield from _row("cause", _cause(cause))
    opening = finding.openings[finding.hosts[0]]
    failed = _checks(finding, opening, CheckResult.FAILED)
    for line in failed[-_MOST_CHECKS:]:
        yield from line
    if len(failed) > _MOST_CHECKS:
        yield f"   {Mark.NOTE} {count(len(failed) - _MOST_CHECKS, 'check')} before them failed too"
    ahead = _ahead(finding)
    if ahead:
        yield from _row("next", ahead)


def _cause(cause: Cause) -> str:
    likely = "" if cause.likelihood is None else f" (in {cause.likelihood:.0%} of incidents)"
    return printable(cause.title) + likely


def _ahead(finding: Finding) -> str:
    """Say what comes next in a runbook: its fix, or what it needs first."""
    opening = finding.openings[finding.hosts[0]]
    if finding.fix is not None:
        return f"would do: {title_of(finding.runbook, opening.state, finding.fix.id)}"
    return printable(opening.further)


def _checks(finding: Finding, opening: Opening, result: CheckResult) -> list[list[str]]:
    """Return lines for each step that came to a result: its title, what was seen and expected."""
    told = []
    for visit in opening.state.path:
        seen = opening.state.known.get(visit.step)
        if seen is None or seen.result is not result:
            continue
        title = title_of(finding.runbook, opening.state, visit.step)
        lines = [shorten(f"   {_MARKS[result]} {title}", WIDTH)]
        said, expected = say_observation(seen, visit.step), say_expected(seen)
        if said:
            lines.append(shorten(f"     seen      {said}", WIDTH))
        if expected and result is CheckResult.FAILED:
            lines.append(shorten(f"     expected  {expected}", WIDTH))
        told.append(lines)
    return told


def _rest(triage: Triage) -> Iterator[str]:
    """Yield the runbooks that are not to be gone on with at once, by what keeps them."""
    by_fit: dict[Fit, list[Finding]] = {}
    for finding in triage.findings:
        by_fit.setdefault(finding.fit, []).append(finding)
    for finding in by_fit.get(Fit.UNKNOWN, []):
        reasons = (visit.reason for visit in finding.openings[finding.hosts[0]].state.path)
        why = next((printable(reason) for reason in reasons if reason), "no reason was given")
        yield from _listed("could not tell", f"{finding.runbook.name}: {why}", most=2)
    for finding in by_fit.get(Fit.LACKING, []):
        yield from _listed("lacks", f"{finding.runbook.name}: {_lacking(finding)}", most=3)
    for finding in by_fit.get(Fit.OPEN, []):
        ahead = _ahead(finding) or "begins with what is not looked at here"
        yield from _listed("nothing yet", f"{finding.runbook.name} would {ahead}", most=2)
    names = [finding.runbook.name for finding in by_fit.get(Fit.HEALTHY, [])]
    if names:
        yield from _listed("nothing wrong", ", ".join(names))
    for name, why in triage.unsound.items():
        yield from _listed("not sound", f"{name}: {printable(why)}", most=2)


def _lacking(finding: Finding) -> str:
    """Name each param with what is wrong with it, and the hosts that lack it."""
    hosts: dict[tuple[str, str], list[str]] = {}
    for host, opening in finding.openings.items():
        for problem in opening.lacking:
            hosts.setdefault((problem.param, problem.message), []).append(host)
    return "; ".join(
        f"{param}: {printable(message)} (on {say_hosts(named)})"
        for (param, message), named in hosts.items()
    )


def _row(label: str, text: str) -> list[str]:
    return wrap(f"{label:<6} {text}", WIDTH, initial_indent="   ", subsequent_indent=" " * 10)


def _listed(label: str, text: str, *, most: int | None = None) -> Iterable[str]:
    lines = wrap(f"{label:<14} {text}", WIDTH, subsequent_indent=" " * 15)
    if most is not None and len(lines) > most:
        lines = [*lines[: most - 1], shorten(f"{lines[most - 1]} …", WIDTH)]
    return lines


def triage_document(triage: Triage) -> dict[str, Json]:
    """Return what was found as data for programs."""
    return {
        "pattern": triage.pattern,
        "symptom": triage.symptom or None,
        "hosts": list(triage.hosts),
        "took_s": round(triage.took_s, 3),
        "runbooks": [_runbook_document(triage, one) for one in triage.findings],
        "unsound": dict(triage.unsound),
    }


def _runbook_document(triage: Triage, finding: Finding) -> dict[str, Json]:
    return {
        "name": finding.runbook.name,
        "title": finding.runbook.title,
        "symptoms": list(finding.candidate.symptoms),
        "fit": finding.fit.value,
        "likelihood": finding.likelihood or None,
        "command": triage.command(finding) if finding.fit is not Fit.LACKING else None,
        "hosts": {
            host: _host_document(finding, opening) for host, opening in finding.openings.items()
        },
    }


def _host_document(finding: Finding, opening: Opening) -> dict[str, Json]:
    state = opening.state
    return {
        "fit": opening.fit.value,
        "causes": [
            {"id": cause.id, "title": cause.title, "likelihood": cause.likelihood}
            for cause in (finding.runbook.causes[found.cause] for found in state.causes)
        ],
        "checks": list(_check_documents(finding, opening)),
        "next": state.position,
        "further": opening.further or None,
        "lacking": [
            {"param": problem.param, "message": problem.message} for problem in opening.lacking
        ],
    }


def _check_documents(finding: Finding, opening: Opening) -> Iterator[dict[str, Json]]:
    for visit in opening.state.path:
        seen = opening.state.known.get(visit.step)
        yield {
            "step": visit.step,
            "title": title_of(finding.runbook, opening.state, visit.step),
            "result": visit.result,
            "seen": say_observation(seen, visit.step) if seen is not None else None,
            "expected": seen.expected if seen is not None else None,
            "reason": visit.reason,
        }


def verdict_of(findings: Sequence[Finding]) -> int:
    """Return the exit code: 1 something is wrong, 4 nothing could be told, else 0."""
    fits = {finding.fit for finding in findings}
    if fits & _FITTING:
        return 1
    return 4 if fits <= {Fit.UNKNOWN, Fit.LACKING} else 0
