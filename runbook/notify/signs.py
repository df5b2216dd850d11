"""What of a journal's entries people may want to be told."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from runbook.journal import Entry, Journal
from runbook.journal.following import News
from runbook.model.event import (
    Event,
    FixDeclined,
    FixIntended,
    HostFinished,
    Observed,
    RunInterrupted,
    RunStarted,
)
from runbook.model.verdict import Verdict
from runbook.notify.plan import Kind

WELL = frozenset({Verdict.HEALTHY, Verdict.RESOLVED, Verdict.SELF_RECOVERED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Sign:
    """Something that a run says of a host, `at` POSIX seconds; of all its hosts where it is None.

    `text` says it in words. It may hold what a host printed. `verdict` is how the host's walk ended,
    None where it goes on.
    """

    kind: Kind
    run: str
    runbook: str
    by: str
    host: str | None
    at: float
    text: str
    verdict: Verdict | None = None


@dataclass(kw_only=True)
class _Words:
    """A run's own words: its titles, and those that were rendered for one host."""

    causes: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, str] = field(default_factory=dict)
    rendered: dict[tuple[str, str], str] = field(default_factory=dict)

    def learn(self, event: Event) -> None:
        match event:
            case RunStarted():
                self.causes, self.steps = event.causes, event.steps
            case Observed():
                self.rendered |= {
                    (event.host, step): said.title
                    for step, said in event.texts.items()
                    if said.title != self.steps.get(step)
                }
            case _:
                pass

    def step(self, host: str, step: str) -> str:
        return self.rendered.get((host, step)) or self.steps.get(step) or step

    def cause(self, cause: str) -> str:
        return self.causes.get(cause, cause)


class Reader:
    """Reads signs off news; needs the journal for what was said before it began to."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._words: dict[str, _Words] = {}

    def signs(self, news: News) -> Iterator[Sign]:
        """Yield what the news of one run say, in order."""
        words = self._words.get(news.run.id)
        if words is None:
            words = self._words[news.run.id] = _Words()
            first = news.entries[0].seq
            for entry in self._journal.entries(news.run.id) if first > 1 else ():
                if entry.seq >= first:
                    break
                words.learn(entry.event)
        for entry in news.entries:
            words.learn(entry.event)
            told = _told(entry, words)
            if told is not None:
                kind, host, text, verdict = told
                yield Sign(
                    kind=kind,
                    run=news.run.id,
                    runbook=news.run.runbook,
                    by=news.run.operator,
                    host=host,
                    at=entry.at,
                    text=text,
                    verdict=verdict,
                )
        if news.run.verdict is not None:
            del self._words[news.run.id]


def _told(entry: Entry, words: _Words) -> tuple[Kind, str | None, str, Verdict | None] | None:
    match entry.event:
        case FixIntended(host=host, step=step):
            return Kind.STARTED, host, f"“{words.step(host, step)}” begins", None
        case FixDeclined(host=host, step=step, reason=reason, guard=guard) if guard:
            return Kind.GUARD_TRIPPED, host, f"“{words.step(host, step)}”: {reason}", None
        case HostFinished(host=host, verdict=verdict) as end:
            return _kind(verdict), host, _ended(end, words), verdict
        case RunInterrupted(reason=reason):
            return Kind.FAILED, None, f"the run stopped before its end: {reason}", None
        case _:
            return None


def _kind(verdict: Verdict) -> Kind:
    if verdict in WELL:
        return Kind.RESOLVED
    return Kind.WAITING if verdict is Verdict.WAITING else Kind.FAILED


def _ended(end: HostFinished, words: _Words) -> str:
    causes = "; ".join(dict.fromkeys(words.cause(cause) for cause in end.causes))
    said = end.verdict.replace("_", " ") + (f": {causes}" if causes else "")
    return f"{said} ({end.reason})" if end.reason else said
