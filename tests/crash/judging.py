"""What has to be true of a home after its lives, whatever ended them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path

from runbook.errors import RunbookError
from runbook.journal import RunFilter
from runbook.journal.sqlite import SqliteJournal, open_journal
from runbook.model.event import (
    Event,
    FixApproved,
    FixIntended,
    FixVerified,
    HostFinished,
    Observed,
    RunFinished,
)
from runbook.model.verdict import Verdict
from tests.crash.hosts import begun, overlaps
from tests.crash.lives import Life, acknowledged

VERDICTS = {
    "web1": Verdict.HEALTHY,
    "web2": Verdict.RESOLVED,
    "web3": Verdict.RESOLVED,
}
"""What a run comes to that nothing disturbs."""


def judge_record(home: Path) -> list[str]:
    """Return what is wrong with the journal: it has to open, hold, and have all it acknowledged."""
    if not Life(home=home).journal.exists():
        return ["a journal that acknowledged entries is gone"] if acknowledged(home) else []
    try:
        with closing(open_journal(Life(home=home).journal)) as journal:
            return list(_record(journal, home))
    except RunbookError as error:
        return [error.render()]


def _record(journal: SqliteJournal, home: Path) -> Iterator[str]:
    found = {
        (run.id, entry.seq): entry.hash
        for run in journal.runs(RunFilter(limit=None))
        if journal.verify(run.id)
        for entry in journal.entries(run.id)
    }
    for wrote in acknowledged(home):
        if found.get((wrote.run, wrote.seq)) != wrote.hash:
            yield f"entry {wrote.seq} of {wrote.run} was acknowledged, and is not there"
    (said,) = journal._connection.execute("PRAGMA integrity_check").fetchone()
    if said != "ok":
        yield f"SQLite finds: {said}"


def judge(home: Path) -> list[str]:
    """Return what is wrong after the last life, which nothing ended."""
    wrong = judge_record(home)
    with closing(open_journal(Life(home=home).journal)) as journal:
        runs = [run for run in journal.runs(RunFilter(limit=None)) if run.hosts]
        if len(runs) != 1:
            return [*wrong, f"{len(runs)} runs reached hosts"]
        events = [entry.event for entry in journal.entries(runs[0].id)]
        if journal.claims():
            wrong.append("hosts are still held")
    return [*wrong, *_outcome(events), *_repeats(home, events)]


def _outcome(events: Sequence[Event]) -> Iterator[str]:
    verdicts = {event.host: event.verdict for event in events if isinstance(event, HostFinished)}
    if verdicts != VERDICTS:
        yield f"the verdicts are {verdicts}"
    if not isinstance(events[-1], RunFinished):
        yield f"the last entry is {events[-1]}"


def _repeats(home: Path, events: Sequence[Event]) -> Iterator[str]:
    """Compare what hosts saw begin with what was intended, approved and seen before."""
    hosts = Life(home=home).hosts
    intents = {event.invocation for event in events if isinstance(event, FixIntended)}
    for fix, times in Counter(begun(hosts)).items():
        if times > 1:
            yield f"{fix} began {times} times"
        if fix.invocation not in intents:
            yield f"{fix} began, and no entry says that it was about to"
    yield from (f"{fix} began while another fix was at work" for fix in overlaps(hosts))
    for host in VERDICTS:
        ours = [event for event in events if getattr(event, "host", None) == host]
        at = [number for number, event in enumerate(ours) if isinstance(event, FixIntended)]
        for before, after in pairwise([0, *at]):
            between = ours[before:after]
            if not any(isinstance(event, FixApproved) for event in between):
                yield f"a fix of {host} was begun on no approval of its own"
            if not any(isinstance(event, Observed | FixVerified) for event in between):
                yield f"a fix of {host} was begun, and nobody had looked since the last one"
    yield from (f"{path} is left" for path in hosts.glob("*/fault-*"))
