"""What the doctor found, in lines for people and as JSON."""

from collections.abc import Sequence
from itertools import groupby

from runbook.doctor import Finding, State, exit_code
from runbook.model.definition import Json
from runbook.views.safe_text import printable
from runbook.views.words import count
from runbook.views.wrapping import wrapped

_MARKS = {State.GOOD: "✓", State.NOTE: "!", State.BAD: "✗", State.UNREACHABLE: "✗"}


def findings_text(findings: Sequence[Finding], *, columns: int | None = None) -> str:
    """Return a line for each finding, by machine, each remedy below what it is for.

    What was seen is wrapped to so many columns; a remedy is not, as it is there to be copied.
    """
    width = max(len(finding.title) for finding in findings)
    lines: list[str] = []
    for host, group in groupby(findings, key=lambda finding: finding.host):
        lines += [*([""] if lines else []), printable(host) if host else "This machine"]
        for finding in group:
            mark = _MARKS[finding.state]
            lead = f"{mark} {finding.title:<{width}}  "
            lines += wrapped(lead, printable(finding.seen), columns)
            if finding.remedy:
                lines.append(f"  {'':<{width}}  → {printable(finding.remedy)}")
    return "\n".join([*lines, "", _total(findings)])


def _total(findings: Sequence[Finding]) -> str:
    away = sum(finding.state is State.UNREACHABLE for finding in findings)
    bad = sum(finding.state is State.BAD for finding in findings)
    notes = sum(finding.state is State.NOTE for finding in findings)
    parts = [count(away, "unreachable host")] if away else []
    parts += [f"{count(bad, 'thing')} to mend"] if bad else []
    if not parts:
        parts = ["Ready"]
    return ", ".join([*parts, *([f"{count(notes, 'thing')} to know"] if notes else [])]) + "."


def findings_document(findings: Sequence[Finding]) -> dict[str, Json]:
    """Return the findings as JSON data; `host` is null for this machine."""
    return {
        "ready": exit_code(findings) == 0,
        "exit_code": exit_code(findings),
        "findings": [
            {
                "check": finding.check,
                "host": finding.host or None,
                "state": finding.state.value,
                "title": finding.title,
                "seen": finding.seen,
                "remedy": finding.remedy,
            }
            for finding in findings
        ],
    }
