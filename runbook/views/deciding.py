"""Putting a fix to a person: what they can type, and what it comes to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from threading import Event as Signal

from runbook.driver.operator import (
    ApprovalReply,
    ApprovalRequest,
    EndRun,
    Note,
    OwnCheck,
    Recheck,
)
from runbook.errors import RunbookError
from runbook.model.definition import Runbook
from runbook.model.event import Reach
from runbook.model.observation import Observation
from runbook.views.confirmation import Confirmation
from runbook.views.details import documentation, own_look, whole_evidence
from runbook.views.dialogue import Dialogue
from runbook.views.prediction import rendered_tasks, whole_diff
from runbook.views.safe_text import printable
from runbook.views.words import count, say_hosts, shorten

_HELP = """\
y  yes, do it on all of these hosts; a reason may follow: y: it is agreed
n  no (so is Enter); a reason may follow: n: it is being deployed
s  split: choose among the hosts, by name or one by one
k  skip this fix: no here, and on hosts that come to it later in this run
q  no to this, and to every later fix of this run
d  the whole diff that Ansible predicts
t  the tasks as rendered for each host, secrets masked
e  all evidence, as YAML
o  the documentation of this step
c  look for yourself by a probe: c port: 8000; it decides nothing
r  look at the hosts again before deciding
w  write a note into the journal: w called the database team
a  abort: the run ends here, nothing more is done; it can be resumed"""

_QUESTION_ROWS = 3
_LONGEST_TITLE = 36

_WAIT_S = 60.0
"""How long a look of the operator's own is waited for; its probe's own time is shorter."""


@dataclass(kw_only=True)
class Deciding:
    """Asks about one fix after the other, and remembers what was declined for the whole run."""

    name: str
    runbook: Runbook
    dialogue: Dialogue
    _skipped: set[str] = field(default_factory=set)
    _refusing: bool = False

    def decide(self, request: ApprovalRequest, *, waiting: int = 0) -> ApprovalReply | None:
        """Return the answer; None where the question was taken back. Raises OSError.

        `waiting` is how many questions come after it.
        """
        if self._refusing or request.fix.id in self._skipped:
            where = say_hosts(request.hosts)
            self.dialogue.say(f"Declined as you asked: {printable(request.title)} on {where}")
            return self._lasting_no(Reach.RUN if self._refusing else Reach.FIX)
        height = self.dialogue.console.height - _QUESTION_ROWS
        self.dialogue.show(
            Confirmation(
                request=request,
                runbook=self.runbook,
                height=height,
                aside=_beside(request, waiting),
            )
        )
        while True:
            line = self.dialogue.ask(_question(request))
            if line is None:
                return self.no("the input ended")
            key, said = _parted(line)
            if key in ("r", "a") and request.aside is not None:
                self._take_back(request, key, said)
                return None
            answer = self._answer(key, said, line, request)
            if answer is not None:
                return answer

    def _answer(
        self, key: str, said: str, line: str, request: ApprovalRequest
    ) -> ApprovalReply | None:
        """Return what a key comes to, None where the question stays open."""
        match key:
            case "y":
                return self._yes(request.hosts, request, said)
            case "s" if len(request.hosts) > 1:
                return self._yes(self._split(request), request, said)
            case "n":
                return self._no(said or (self._why() if line else ""), request)
            case "k" | "q":
                return self._no_for_good(request, key, said)
            case _:
                self._tell_more(key, said, line, request)
                return None

    def _no(self, reason: str, request: ApprovalRequest) -> ApprovalReply:
        self.dialogue.say(f"Declined: nothing is done on {say_hosts(request.hosts)}.")
        return self.no(reason)

    def no(self, reason: str) -> ApprovalReply:
        """Return a no."""
        return ApprovalReply(approved=frozenset(), by=self.name, reason=printable(reason))

    def _yes(
        self, hosts: Sequence[str], request: ApprovalRequest, reason: str
    ) -> ApprovalReply | None:
        if not self._typed(hosts, request):
            return None
        declined = [host for host in request.hosts if host not in hosts]
        yes = say_hosts(hosts) if hosts else "no host"
        no = f"; declined on {say_hosts(declined)}" if declined else ""
        self.dialogue.say(f"Approved on {yes}{no}.")
        return ApprovalReply(approved=frozenset(hosts), by=self.name, reason=printable(reason))

    def _typed(self, hosts: Sequence[str], request: ApprovalRequest) -> bool:
        """Have a name typed where the inventory wants that; say whether it was."""
        marked = [host for host in hosts if request.states[host].typed]
        if not marked:
            return True
        names = [{host, *request.states[host].groups} - {"ungrouped"} for host in marked]
        shared = set.intersection(*names)
        wanted = marked[0] if len(marked) == 1 else min(shared, default=" ".join(marked))
        line = self.dialogue.ask(f"To do it on {say_hosts(marked)}, type {printable(wanted)}: ")
        if line is not None and (line in shared or line.split() == marked):
            return True
        self.dialogue.say("That is not what was asked for; nothing is approved.")
        return False

    def _why(self) -> str:
        return self.dialogue.ask("Why (Enter: no reason)? ") or ""

    def _no_for_good(self, request: ApprovalRequest, key: str, said: str) -> ApprovalReply:
        if key == "q":
            self._refusing = True
            self.dialogue.say("Declined, and so is every later fix of this run.")
            return self._lasting_no(Reach.RUN, said)
        self._skipped.add(request.fix.id)
        self.dialogue.say("Skipped: hosts that come to it later are not asked about it.")
        return self._lasting_no(Reach.FIX, said)

    def _lasting_no(self, reach: Reach, said: str = "") -> ApprovalReply:
        reason = _REFUSED if reach is Reach.RUN else _SKIPPED
        return replace(self.no(f"{reason}: {said}" if said else reason), reach=reach)

    def _take_back(self, request: ApprovalRequest, key: str, said: str) -> None:
        assert request.aside is not None  # noqa: S101 -- as asked before
        if key == "r":
            self.dialogue.say("Looking again; you will be asked anew if it still comes to this.")
            request.aside(Recheck(by=self.name))
        else:
            self.dialogue.say("The run ends here.")
            request.aside(EndRun(by=self.name, reason=printable(said)))

    def _split(self, request: ApprovalRequest) -> tuple[str, ...]:
        """Return the hosts that are chosen by name, or one by one."""
        while True:
            line = self.dialogue.ask("On which hosts (names; Enter asks for one after the other)? ")
            if line is None:
                return ()
            names = line.replace(",", " ").split()
            unknown = [name for name in names if name not in request.hosts]
            if not unknown:
                break
            self.dialogue.say(_not_a_host(unknown[0], request.hosts))
        if names:
            return tuple(host for host in request.hosts if host in names)
        chosen: list[str] = []
        for host in request.hosts:
            line = self.dialogue.ask(f"Do this on {printable(host)}? [y]es [n]o (Enter is no): ")
            if line is None:
                return ()
            if line.lower() in ("y", "yes"):
                chosen.append(host)
        return tuple(chosen)

    def _tell_more(self, key: str, said: str, line: str, request: ApprovalRequest) -> None:
        match key:
            case "d":
                self.dialogue.show(whole_diff(request))
            case "t":
                self.dialogue.say(rendered_tasks(request))
            case "e":
                self.dialogue.say(whole_evidence(request.states, request.evidence))
            case "o":
                self.dialogue.say(documentation(request, self.runbook))
            case "s":
                self.dialogue.say("There is one host only, nothing to split; k skips this fix.")
            case "?":
                self.dialogue.say(_HELP)
            case "w" if request.aside is not None:
                self._note(request, said)
            case "c" if request.aside is not None:
                self._look(request, said)
            case _:
                self.dialogue.say(f"“{printable(line)}” is none of the answers; ? explains them.")

    def _note(self, request: ApprovalRequest, said: str) -> None:
        assert request.aside is not None  # noqa: S101 -- as asked before
        text = said or self.dialogue.ask("Note (Enter: none): ")
        if text:
            request.aside(Note(text=printable(text), by=self.name))
            self.dialogue.say("Written into the journal.")

    def _look(self, request: ApprovalRequest, said: str) -> None:
        """Have the hosts looked at by a probe that is typed, and show what it answers."""
        from runbook.spec.own_probe import read_own_probe  # noqa: PLC0415 -- where somebody asks

        assert request.aside is not None  # noqa: S101 -- as asked before
        text = said or self.dialogue.ask("Probe, such as port: 8000 (Enter: none): ")
        if not text:
            return
        try:
            probe = read_own_probe(text)
        except RunbookError as error:
            problem = error.problems[0]
            hint = f" ({problem.hint})" if problem.hint else ""
            self.dialogue.say(printable(f"{problem.message}{hint}"))
            return
        answers: dict[str, Observation] = {}
        over = Signal()

        def told(seen: Mapping[str, Observation]) -> None:
            answers.update(seen)
            over.set()

        self.dialogue.say(f"Looking at {say_hosts(request.hosts)} …")
        request.aside(OwnCheck(probe=probe, text=printable(text), by=self.name, told=told))
        if not over.wait(_WAIT_S):
            self.dialogue.say("No answer has come yet; it will be in the journal.")
            return
        self.dialogue.say(own_look(answers))


_REFUSED = "everything more was declined"
_SKIPPED = "skipped in this run"

_WORDS = {
    "yes": "y",
    "no": "n",
    "split": "s",
    "skip": "k",
    "quit": "q",
    "diff": "d",
    "tasks": "t",
    "evidence": "e",
    "open": "o",
    "check": "c",
    "retry": "r",
    "write": "w",
    "note": "w",
    "abort": "a",
    "help": "?",
    "h": "?",
}
_TAKES_TEXT = frozenset("nkcwa")
"""Keys after which words may follow as they are; after others a colon has to say that they do."""


def _parted(line: str) -> tuple[str, str]:
    """Return the key a line means, and what is said with it; "" as key where it means none.

    Only a y alone is a yes, or one with a reason set off by a colon: "yes, but not web2" is none.
    """
    if not line:
        return "n", ""
    word, _, rest = line.partition(" ")
    key, colon, glued = word.partition(":")
    key = _WORDS.get(key.lower(), key.lower())
    rest = f"{glued} {rest}".strip()
    if rest and not colon and key not in _TAKES_TEXT:
        return "", ""
    return (key, rest) if len(key) == 1 else ("", "")


def _question(request: ApprovalRequest) -> str:
    one = len(request.hosts) == 1
    whom = printable(request.hosts[0]) if one else f"{len(request.hosts)} hosts"
    keys = [
        "[y]es [n]o",
        *([] if one else ["[s]plit"]),
        "s[k]ip [d]iff [t]asks [e]vidence [o]pen docs",
        *(["\n[c]heck myself [r]etry [w]rite note [a]bort"] if request.aside else []),
        "[q]uit asking [?]",
    ]
    # What it is about may have scrolled away by now.
    what = shorten(f"{printable(request.title)}.", _LONGEST_TITLE)
    asked = f"{' '.join(keys)}\n{what} Do this on {whom}? (Enter is no): "
    return asked.replace(" \n", "\n")


def _beside(request: ApprovalRequest, waiting: int) -> str:
    """Say what there is of the run beside a question."""
    over = sum(state.verdict is not None for state in request.run.values())
    parts = [
        f"{over} of {len(request.run)} hosts done" if len(request.run) > len(request.hosts) else "",
        f"{count(waiting, 'more question')} after it" if waiting else "",
    ]
    return ", ".join(part for part in parts if part)


def _not_a_host(name: str, hosts: Iterable[str]) -> str:
    near = get_close_matches(name, list(hosts), n=1)
    hint = f" Did you mean {printable(near[0])}?" if near else ""
    return f"“{printable(name)}” is none of the hosts in question.{hint}"
