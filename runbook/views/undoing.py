"""What came of taking a run back, in words and as JSON."""

from runbook.driver.undo import Undoing
from runbook.model.definition import Json
from runbook.model.event import Acted
from runbook.model.verdict import EXIT_INTERRUPTED
from runbook.views.safe_text import printable
from runbook.views.words import RESULTS, count, say_observation

_WORDS = {
    Acted.CHANGED: "undone",
    Acted.UNCHANGED: "nothing was left to undo",
    Acted.FAILED: "the undo FAILED",
    Acted.WITHHELD: "the undo did not begin",
    Acted.UNKNOWN: "nobody knows whether it is undone",
}
_GOOD = frozenset({Acted.CHANGED, Acted.UNCHANGED})


def undo_exit_code(undoing: Undoing) -> int:
    """Return 0 for undone, 1 for failed, 4 for not known, 3 for declined, the worst one.

    130 where it was interrupted.
    """
    if undoing.interrupted is not None:
        return EXIT_INTERRUPTED
    acted = {item for hosts in undoing.done.values() for item in hosts.values()}
    if acted & {Acted.UNKNOWN, Acted.WITHHELD}:
        return 4
    if Acted.FAILED in acted:
        return 1
    return 3 if undoing.declined else 0


def undo_text(undoing: Undoing) -> str:
    """Return a line for each fix and host, and how cause and symptom look now."""
    lines = [
        f"{host}: {fix}: {_WORDS[acted]}{_why(undoing, fix, host)}"
        for fix, hosts in undoing.done.items()
        for host, acted in hosts.items()
    ]
    lines += [f"{fix}: declined, not undone" for fix in undoing.declined]
    for host, seen in undoing.seen.items():
        for step, item in seen.items():
            told = say_observation(item, step)
            lines.append(f"  {host}: {step}: {RESULTS[item.result]} - {told}")
    if undoing.interrupted is not None:
        again = f"runbook undo {undoing.summary.id}"
        return "\n".join([*lines, f"Interrupted. Take back what is left with: {again}"])
    return "\n".join([*lines, f"Run {undoing.summary.id}: {_in_all(undoing)}"])


def _in_all(undoing: Undoing) -> str:
    if undo_exit_code(undoing) != 0:
        return f"not all is undone; see runbook report {undoing.summary.id}"
    undone = sum(Acted.CHANGED in hosts.values() for hosts in undoing.done.values())
    return f"{count(undone, 'step')} undone" if undone else "nothing was left to undo"


def _why(undoing: Undoing, fix: str, host: str) -> str:
    reason = undoing.reasons.get(fix, {}).get(host)
    return f": {printable(reason)}" if reason else ""


def undo_document(undoing: Undoing) -> dict[str, Json]:
    """Return the same as JSON data."""
    return {
        "run_id": undoing.summary.id,
        "undone": {
            fix: {host: acted.value for host, acted in hosts.items()}
            for fix, hosts in undoing.done.items()
        },
        "reasons": undoing.reasons,
        "declined": list(undoing.declined),
        "seen": {
            host: {step: item.result.value for step, item in seen.items()}
            for host, seen in undoing.seen.items()
        },
        "interrupted": undoing.interrupted,
        "exit_code": undo_exit_code(undoing),
    }
