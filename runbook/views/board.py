"""What is shown while a run goes: hosts that went the same way, folded together."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from runbook.model.definition import Ask, Manual, Runbook
from runbook.model.event import (
    Event,
    FixConcluded,
    FixDeclined,
    FixVerified,
    HostEvent,
    HostFinished,
    HostJoined,
    LookAgain,
    Noted,
    Notified,
    Observed,
    OwnLook,
    RunFinished,
    RunInterrupted,
    RunResumed,
    RunSliced,
    RunStarted,
    UndoEnded,
    UndoIntended,
    WaveLookBegun,
    WaveLookEnded,
)
from runbook.model.slices import Slice
from runbook.model.state import HostState
from runbook.model.verdict import Verdict
from runbook.views.evidence import speaking
from runbook.views.safe_text import printable
from runbook.views.telling import Causes, Mark, Told, tell, tell_cause, tell_visits
from runbook.views.titles import common_title
from runbook.views.words import say_hosts

_Way = tuple[tuple[Mark, str, str], ...]
"""What hosts are folded by: steps and results, but not titles as rendered, nor the values seen."""


_Key = tuple[_Way, Verdict | None, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Activity:
    """What is being done, and since when by the clock of whoever asks."""

    what: str
    since: float


@dataclass(kw_only=True, slots=True)
class Group:
    """Hosts with the same way behind them.

    `lines` are those of one of them; `seen` and `titles` count what stands in each line's place.
    """

    lines: tuple[Told, ...]
    verdict: Verdict | None
    hosts: dict[str, None] = field(default_factory=dict)
    seen: tuple[Counter[str], ...] = ()
    titles: tuple[Counter[str], ...] = ()

    @property
    def end(self) -> int | None:
        """Return which line tells the end of the way, None where it goes on."""
        ends = [index for index, line in enumerate(self.lines) if line.mark is Mark.END]
        return ends[-1] if ends and self.verdict is not None else None

    def title_at(self, line: int, runbook: Runbook) -> str:
        """Return the title of a line: as rendered, or what hosts that differ in it share."""
        titles = [title for title, _ in self.titles[line].most_common()]
        step = runbook.steps.get(self.lines[line].step)
        return titles[0] if step is None else common_title(step.title, titles)

    def values_at(self, line: int) -> str:
        """Return what was seen at a line, with how many hosts saw it where they differ."""
        counted = self.seen[line].most_common()
        if len(counted) == 1:
            return counted[0][0]
        told = ", ".join(f"{value or 'nothing'} ({number})" for value, number in counted[:2])
        rest = sum(number for _, number in counted[2:])
        return f"{told}, other ({rest})" if rest else told


@dataclass(kw_only=True)
class Board:
    """The hosts of a run, each with its lines, kept in groups as events come in.

    An event costs as much as its host has lines, whatever the number of hosts. Where hosts are not
    `folded`, each is a group of its own.
    """

    runbook: Runbook
    folded: bool = True
    note: Activity | None = None
    stopping: str = ""
    _lines: dict[str, tuple[Told, ...]] = field(default_factory=dict)
    _verdicts: dict[str, Verdict] = field(default_factory=dict)
    _activities: dict[str, Activity] = field(default_factory=dict)
    _order: dict[str, int] = field(default_factory=dict)
    _groups: dict[_Key, Group] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._causes = Causes(runbook=self.runbook)

    def happened(self, event: Event, states: Mapping[str, HostState], now: float) -> None:
        """Take an event in."""
        match event:
            case RunResumed():
                self._causes.take_up(states.values())
                for state in states.values():
                    self._take_up(state)
            case RunStarted() | RunInterrupted() | RunFinished():
                pass
            case Slice() | RunSliced() | WaveLookBegun() | WaveLookEnded():
                pass  # It is about more hosts than are shown.
            case Noted() | Notified() | OwnLook() | UndoIntended() | UndoEnded():
                pass  # None of it is a part of the walk.
            case _:
                self._on_host(event, states[event.host], now)

    def working(self, hosts: tuple[str, ...], what: str, now: float) -> None:
        """Take note of what is being done on hosts."""
        activity = Activity(what=printable(what), since=now)
        if not hosts:
            self.note = activity
        for host in hosts:
            if host not in self._activities or self._activities[host].what != activity.what:
                self._activities[host] = activity

    def groups(self) -> list[Group]:
        """Return all groups in the order of their first hosts, each with its hosts in order."""
        for group in self._groups.values():
            group.hosts = dict.fromkeys(sorted(group.hosts, key=self._order.__getitem__))
        return sorted(self._groups.values(), key=lambda group: self._order[next(iter(group.hosts))])

    def activities(self, group: Group) -> Counter[Activity]:
        """Return what is being done on hosts of a group, and on how many of them each."""
        found = (self._activities.get(host) for host in group.hosts)
        return Counter(activity for activity in found if activity is not None)

    def opening(self) -> Activity | None:
        """Return what is being done while no host is on its way; an undo's hosts never are."""
        if self.note is not None or not self._activities:
            return self.note
        latest = max(self._activities.values(), key=lambda activity: activity.since)
        hosts = [host for host, one in self._activities.items() if one.what == latest.what]
        return replace(latest, what=f"{say_hosts(hosts)}: {latest.what}")

    def rest(self) -> None:
        """Forget what is being done: nothing is, any more."""
        self.note, self.stopping = None, ""
        self._activities.clear()

    def verdicts(self) -> Counter[Verdict | None]:
        """Count the hosts by verdict; None is for those that go on."""
        counted: Counter[Verdict | None] = Counter(self._verdicts.values())
        counted[None] = len(self._order) - len(self._verdicts)
        return counted

    def _take_up(self, state: HostState) -> None:
        lines = tell_visits(self.runbook, state)
        for found in state.causes:
            seen = speaking(found.evidence, state, epoch=found.epoch)
            lines.append(tell_cause(self.runbook, found.cause, seen))
        self._put(state.host, tuple(lines), state.verdict)

    def _on_host(self, event: HostEvent, state: HostState, now: float) -> None:
        host = event.host
        lines = self._lines.get(host, ())
        told = None if isinstance(event, FixVerified) else tell(self.runbook, event, state)
        if told is not None:
            lines = _with(lines, told)
        lines = (*lines, *self._causes.found_by(event, state))
        self._put(host, lines, state.verdict)
        if isinstance(event, HostJoined) and self.note is not None:
            self._activities.setdefault(host, self.note)
        elif isinstance(event, Observed | LookAgain | FixDeclined | FixConcluded | HostFinished):
            self._activities.pop(host, None)
        if state.position is not None and host not in self._activities:
            step = self.runbook.steps.get(state.position)
            if isinstance(step, Ask | Manual) and state.verdict is None:
                self._activities[host] = Activity(what="waiting for an answer", since=now)

    def _put(self, host: str, lines: tuple[Told, ...], verdict: Verdict | None) -> None:
        """Move a host to the group of its lines."""
        self._order.setdefault(host, len(self._order))
        self._leave(host)
        self._lines[host] = lines
        if verdict is None:
            self._verdicts.pop(host, None)
        else:
            self._verdicts[host] = verdict
        group = self._groups.setdefault(
            self._key(host),
            Group(
                lines=lines,
                verdict=verdict,
                seen=tuple(Counter[str]() for _ in lines),
                titles=tuple(Counter[str]() for _ in lines),
            ),
        )
        group.hosts[host] = None
        for index, line in enumerate(lines):
            group.seen[index][line.seen] += 1
            group.titles[index][line.title] += 1

    def _key(self, host: str) -> _Key:
        way, verdict = _way(self._lines[host]), self._verdicts.get(host)
        return way, verdict, "" if self.folded else host

    def _leave(self, host: str) -> None:
        old = self._lines.get(host)
        if old is None:
            return
        key = self._key(host)
        group = self._groups[key]
        del group.hosts[host]
        if not group.hosts:
            del self._groups[key]
        for index, line in enumerate(old):
            _take(group.seen[index], line.seen)
            _take(group.titles[index], line.title)


def _take(counter: Counter[str], what: str) -> None:
    """Count one less; what is not counted any more is not kept, either."""
    counter[what] -= 1
    if not counter[what]:
        del counter[what]


def _way(lines: tuple[Told, ...]) -> _Way:
    return tuple((line.mark, line.step, line.result) for line in lines)


def _with(lines: tuple[Told, ...], told: Told) -> tuple[Told, ...]:
    """Add a line; the phases of a fix that follow one another make a single one."""
    last = lines[-1] if lines else None
    if last is not None and told.mark is Mark.FIX is last.mark and told.step == last.step:
        return (*lines[:-1], replace(last, result=f"{last.result} → {told.result}"))
    return (*lines, told)
