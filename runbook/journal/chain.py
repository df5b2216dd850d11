"""The hash chain of a run's entries: what it covers, and how a break is found.

An entry's hash is the SHA-256 of the previous hash followed by the canonical JSON of its run, seq,
at, who and event. The store keeps the head (the last seq and hash) apart from the entries, so a cut
at the end shows as well. No key is involved: the chain shows edits by whoever does not recompute it
and the head; a head noted elsewhere (a report in a ticket) shows the others.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256

from runbook.errors import RunbookError
from runbook.journal import Entry, Head
from runbook.model.codec import canonical, from_text

GENESIS = "0" * 64
"""What the first entry follows."""

EMPTY = Head(seq=0, hash=GENESIS)
"""The head of a run without entries."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """An entry as it is stored: `event` is canonical JSON text (`model.codec`)."""

    seq: int
    at: float
    who: str
    event: str
    hash: str


def link(run: str, previous: Head, *, at: float, who: str, event: str) -> Row:
    """Return the row that follows `previous`."""
    seq = previous.seq + 1
    # Assembled rather than encoded: the event is canonical already, and large.
    body = (
        f'{{"at":{canonical(at)},"event":{event},"run":{canonical(run)}'
        f',"seq":{seq},"who":{canonical(who)}}}'
    )
    digest = sha256(f"{previous.hash}{body}".encode()).hexdigest()
    return Row(seq=seq, at=at, who=who, event=event, hash=digest)


def extend(
    run: str, head: Head, events: Iterable[str], *, at: float, who: str
) -> tuple[list[Row], Head]:
    """Return the rows that write `events` after `head`, and the new head."""
    rows: list[Row] = []
    for event in events:
        row = link(run, head, at=at, who=who, event=event)
        rows.append(row)
        head = Head(seq=row.seq, hash=row.hash)
    return rows, head


def opened(run: str, rows: Iterable[Row], *, previous: str = GENESIS) -> Iterator[Entry]:
    """Yield the entries of rows that follow the hash `previous`; raise what `from_text` raises."""
    for row in rows:
        event = from_text(row.event)
        yield Entry(
            run=run,
            seq=row.seq,
            at=row.at,
            who=row.who,
            event=event,
            previous=previous,
            hash=row.hash,
        )
        previous = row.hash


def check(run: str, rows: Iterable[Row], head: Head) -> None:
    """Raise `journal-broken` naming the first entry that is not as it was written."""
    reached = EMPTY
    for row in rows:
        if row.seq != reached.seq + 1:
            raise broken(run, reached.seq + 1, "is missing")
        typed = (
            isinstance(row.at, float) and isinstance(row.who, str) and isinstance(row.event, str)
        )
        if not typed or row != link(run, reached, at=row.at, who=row.who, event=row.event):
            raise broken(run, row.seq, "is not as it was written")
        reached = Head(seq=row.seq, hash=row.hash)
    if reached.seq < head.seq:
        raise broken(run, reached.seq + 1, "is missing")
    if reached.seq > head.seq:
        raise broken(run, head.seq + 1, "was added behind the journal's back")
    if reached != head:
        raise broken(run, head.seq, "is not the one the journal ended with")


def broken(run: str, seq: int, what: str) -> RunbookError:
    """Return the error of a chain that does not hold."""
    return RunbookError.of(
        "journal-broken",
        f"entry {seq} of run {run} {what}",
        context="Somebody or something other than runbook changed the journal.",
        hint="Do not rely on this run's record; compare it with a backup of the journal.",
    )
