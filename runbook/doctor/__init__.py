"""Whether everything is ready for an incident: this machine, its content and state, the hosts.

Each look gives findings and changes nothing but what looking at the journal brings with it (an older
file's schema). What a look stumbles over is a finding, too, never an exception.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from runbook.errors import RunbookError


class State(StrEnum):
    """How something stands: `good`, `note` (worth knowing), `bad` (mend it), `unreachable`."""

    GOOD = "good"
    NOTE = "note"
    BAD = "bad"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One line: `check` is its stable kebab-case name, `seen` the value seen.

    `remedy` says what to do, best as a command to copy; `host` is empty for this machine.
    """

    check: str
    title: str
    state: State
    seen: str
    remedy: str | None = None
    host: str = ""


Look = Callable[[], Iterable[Finding]]


def looked(check: str, title: str, look: Look) -> Iterator[Finding]:
    """Yield what a look finds; what hinders it is a finding by that name."""
    try:
        yield from look()
    except RunbookError as error:
        for problem in error.problems:
            place = f"{problem.where}: " if problem.where else ""
            yield Finding(
                check=check,
                title=title,
                state=State.BAD,
                seen=f"{place}{problem.message}",
                remedy=problem.hint,
            )
    except OSError as error:
        yield Finding(check=check, title=title, state=State.BAD, seen=str(error))


def exit_code(findings: Iterable[Finding]) -> int:
    """Return 4 where a host is unreachable, else 1 where something has to be mended, else 0."""
    states = {finding.state for finding in findings}
    if State.UNREACHABLE in states:
        return 4
    return 1 if State.BAD in states else 0
