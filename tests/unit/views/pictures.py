"""What is drawn in typical situations, for the files of `tests/golden/console/`."""

import io
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from queue import SimpleQueue

from rich.console import Console, Group, RenderableType
from rich.text import Text

from runbook.driver.experience import Attempt, CauseExperience, Experience, FixExperience
from runbook.driver.operator import (
    Answer,
    ApprovalRequest,
    EndRun,
    Question,
    StepReply,
    StepRequest,
)
from runbook.model.definition import AnsibleRole, Ask, Fix, FixResult, Manual, Runbook
from runbook.model.event import (
    Acted,
    HostEvent,
    Mode,
    RunFinished,
    RunInterrupted,
    RunResumed,
)
from runbook.model.observation import Activity
from runbook.model.verdict import Verdict
from runbook.views.board import Board
from runbook.views.board_layout import lay_out
from runbook.views.confirmation import Confirmation
from runbook.views.details import whole_evidence
from runbook.views.keyboard import Keyboard
from runbook.views.plain import PlainObserver
from runbook.views.prediction import whole_diff
from runbook.views.prompting import TerminalOperator
from runbook.views.summary import Finish, summary, summary_text
from tests.unit.views.prompted import BY_HAND, WHICH
from tests.unit.views.scenes import (
    Play,
    approved,
    asked,
    broken,
    declined,
    ended,
    fixed,
    intended,
    looked,
    predicted,
    site_book,
    stopped,
    unreachable,
    verified,
    well,
)

RUN = "20260102-030405-9f3a"
EVIL = "web1\x1b[2J\u202e"


def drawn(
    what: RenderableType, *, width: int = 80, colour: bool = False, term: str = "xterm"
) -> str:
    """Draw something as on a terminal; without colour there are no codes at all."""
    console = _console(width, term, colour=colour)
    console.print(what, crop=False)
    return _written(console)


def _console(width: int, term: str = "xterm", *, colour: bool = False) -> Console:
    return Console(
        file=io.StringIO(),
        width=width,
        height=24,
        force_terminal=colour or term == "dumb",
        color_system="standard" if colour else None,
        highlight=False,
        markup=False,
        emoji=False,
        _environ={"TERM": term},
    )


def _written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return "".join(f"{line.rstrip()}\n" for line in console.file.getvalue().splitlines())


def asked_of(
    asked: Ask | Manual | StepRequest, *typed: str, width: int = 80, colour: bool = False
) -> str:
    """Return what a person sees who is asked something and types these lines."""
    ours, theirs = os.pipe()
    console = _console(width, colour=colour)
    play = stopped("web1", "web2")
    replies: SimpleQueue[Answer | StepReply] = SimpleQueue()
    with os.fdopen(theirs, "w") as keys, os.fdopen(ours) as typing:
        operator = TerminalOperator(
            name="ann",
            runbook=play.runbook,
            console=console,
            view=PlainObserver(runbook=play.runbook, stream=io.StringIO()),
            keyboard=_Typed(descriptor=typing.fileno()),
        )
        print(*typed, sep="\n", file=keys, flush=True)
        if isinstance(asked, StepRequest):
            operator.step(asked, replies.put)
        else:
            question = Question(
                step=asked, hosts=("web1", "web2"), title=asked.title, states=play.states
            )
            operator.answer(question, replies.put)
        assert not isinstance(replies.get(timeout=60), EndRun)
    return _written(console)


class _Typed(Keyboard):
    """A keyboard at which everything was typed before it was asked for."""

    def forget(self) -> None:
        """Keep it."""


def next_step(step: str) -> StepRequest:
    """Return the question what to do with a step of a run that asks before each."""
    play = stopped("web1", "web2")
    state = play.states["web1"]
    return StepRequest(
        step=play.runbook.steps[step],
        hosts=("web1", "web2"),
        title="Restart myapp" if step == "restart" else play.runbook.steps[step].title,
        looks=("The site answers through nginx", "The backend service is running")
        if step == "site"
        else (),
        result="failed" if step == "backend" else "",
        seen={"web1": state.known["backend"]} if step == "backend" else {},
        states=play.states,
    )


def lines(encoding: str = "utf-8") -> str:
    """Return the lines of a run in which much happens."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    play = Play()
    with PlainObserver(runbook=play.runbook, stream=stream) as view:
        view.working((), "looking")
        for event in play.joined("web1", "web2", "web3", EVIL):
            view.happened(event, play.states)
        for events in (
            (looked("web1", broken()), *fixed("web1", FixResult.CAUSE_REMOVED)),
            (looked("web1", well()),),
            (looked("web2", unreachable()),),
            (looked("web3", broken(504)), declined("web3", reason="being deployed")),
            (looked(EVIL, broken(state="\x1b]0;owned\x07\nok")), approved(EVIL), intended(EVIL)),
            (ended(EVIL, Acted.FAILED, "task “Restart the service” failed: no\x9bsuch unit"),),
        ):
            for event in play.on(*events):
                view.happened(event, play.states)
                if event == intended(EVIL):
                    view.working((EVIL,), "Restart the service")
        view.happened(RunInterrupted(reason="interrupted by SIGINT"), play.states)
        view.happened(RunResumed(operator="ann"), play.states)
        view.happened(RunFinished(verdict=Verdict.UNKNOWN), play.states)
    stream.flush()
    return raw.getvalue().decode(encoding)


@dataclass(kw_only=True)
class Watched:
    """A play that a board is told of; each deed takes a second."""

    play: Play
    board: Board
    now: float = 0.0

    def on(self, *events: HostEvent) -> None:
        """Have events happen."""
        self.now += 1.0
        for event in self.play.on(*events):
            self.board.happened(event, self.play.states, self.now)

    def working(self, what: str, *hosts: str) -> None:
        """Have something be done."""
        self.board.working(hosts, what, self.now)

    def rows(self, *, width: int = 79, height: int | None = 23) -> list[str]:
        """Return the board as text."""
        return [row.plain for row in self._rows(width=width, height=height)]

    def _rows(self, *, width: int, height: int | None) -> list[Text]:
        return lay_out(
            self.board,
            title=f"{self.play.runbook.name}: {self.play.runbook.title}",
            width=width,
            height=height,
            now=self.now + 4,
        )

    def picture(self, *, width: int = 79, height: int | None = 23, colour: bool = False) -> str:
        """Return the board as one text."""
        rows = self._rows(width=width, height=height)
        return drawn(Group(*rows), width=width + 1, colour=colour)


def watched(*hosts: str) -> Watched:
    """Return a play whose hosts have joined and are looked at."""
    play = Play()
    watching = Watched(play=play, board=Board(runbook=play.runbook))
    for event in play.joined(*hosts):
        watching.board.happened(event, play.states, 0.0)
    watching.working("looking", *hosts)
    return watching


def under_way() -> Watched:
    """Return a run in the middle of its fixes: all kinds of groups at once."""
    hosts = [f"web{number}" for number in range(1, 13)]
    run = watched(*hosts)
    for number, host in enumerate(hosts):
        status = 504 if number == 3 else 502
        seen = (broken(status), broken(status), well(), unreachable())[number % 4]
        if number != 11:
            run.on(looked(host, seen))
    fixing = [host for number, host in enumerate(hosts) if number % 4 < 2]
    for host in fixing:
        run.on(approved(host), intended(host))
    run.working("doing restart", *fixing)
    for host in fixing[:4]:
        run.on(ended(host))
        run.working("looking again", host)
    run.on(verified(fixing[0], FixResult.RESOLVED))
    run.on(verified(fixing[1], FixResult.CAUSE_REMOVED))
    run.on(looked(fixing[1], broken()))
    run.working("asking Ansible what restart would change", fixing[1])
    return run


def finish() -> Finish:
    """Return the end of a run in which hosts ended in all ways."""
    play = Play()
    play.joined(*(f"web{number}" for number in range(1, 9)))
    list(play.on(looked("web1", broken()), *fixed("web1")))
    list(play.on(looked("web2", broken(state="BACKOFF")), *fixed("web2")))
    list(play.on(looked("web3", broken()), *fixed("web3", FixResult.NO_EFFECT)))
    list(play.on(looked("web4", unreachable())))
    list(play.on(looked("web5", broken()), declined("web5", reason="being deployed")))
    list(play.on(looked("web6", well())))
    list(play.on(looked("web7", broken()), approved("web7"), intended("web7")))
    broke = ended("web8", Acted.FAILED, "task “Restart the service” failed: no such unit")
    list(play.on(looked("web8", broken()), approved("web8"), intended("web8"), broke))
    return Finish(
        runbook=play.runbook,
        run=RUN,
        mode=Mode.RUN,
        pattern="prod",
        states=play.states,
        took_s=42.3,
        host_took_s={"web1": 12.1, "web2": 13.9},
    )


def diagnosed() -> Finish:
    """Return the end of a diagnosis of one host."""
    play = Play(mode=Mode.DIAGNOSE)
    play.joined("web1")
    list(play.on(looked("web1", broken())))
    return Finish(
        runbook=play.runbook,
        run=RUN,
        mode=Mode.DIAGNOSE,
        pattern="prod",
        states=play.states,
        took_s=2.4,
    )


def one_host() -> ApprovalRequest:
    """Return the commonest request: one host, a prediction with a diff."""
    return asked(stopped("web1"), "web1")


def experienced() -> ApprovalRequest:
    """Return a request for a fix that was done before, with changing luck."""
    failure = Attempt(
        run=RUN,
        step="restart",
        host=EVIL,
        at=time.time() - 7500,
        result=FixResult.NO_EFFECT,
        took_s=33.0,
    )
    so_far = FixExperience(tried=19, worked=17, median_s=41.2, last_failure=failure)
    known = Experience(
        fixes={"restart": so_far}, causes={"backend_stopped": CauseExperience(found=9, cleared=2)}
    )
    return replace(one_host(), experience=known)


def hosts_differ() -> ApprovalRequest:
    """Return a request for hosts that differ in evidence and prediction."""
    hosts = ("web1", "web2", "web3")
    play = stopped(*hosts, state={"web2": "BACKOFF"})
    longer = "".join(f"+line {number}\n" for number in range(40))
    previews = {
        "web1": predicted("web1"),
        "web2": predicted("web2", longer),
    }
    return asked(play, *hosts, previews=previews)


def cannot_predict() -> ApprovalRequest:
    """Return a request that check mode failed on, of a host that says bad things."""
    play = stopped(EVIL, state={EVIL: "\x1b]0;owned\x07"})
    failed = predicted(EVIL, "-\x1b[8mhidden\n", failed="the vault\nis locked\x1b[2J")
    return asked(play, EVIL, previews={EVIL: failed})


def again() -> tuple[ApprovalRequest, Runbook]:
    """Return a request for a fix that was done before, has an undo, and nothing predicted."""
    book = site_book()
    restart = book.steps["restart"]
    assert isinstance(restart, Fix)
    role = AnsibleRole(name="service", variables={"state": "started", "name": "{{ service }}"})
    restart = replace(restart, max_visits=2, action=role, undo=role, cause=None, impact="")
    book = replace(book, steps={**book.steps, "restart": restart})
    play = Play(runbook=book)
    play.joined("web1", "web2")
    for host, status in (("web1", 502), ("web2", 504)):
        events = fixed(host, FixResult.CAUSE_REMOVED)
        list(play.on(looked(host, broken()), *events, looked(host, broken(status))))
    request = asked(play, "web1", "web2", previews={})
    known = Experience(elsewhere={"restart": FixExperience(tried=4, worked=3, median_s=12.0)})
    evidence = {"web2": request.evidence["web2"]}
    return replace(request, evidence=evidence, experience=known), book


def confirmation(
    request: ApprovalRequest, runbook: Runbook, *, height: int | None = None, aside: str = ""
) -> Confirmation:
    """Return what a person sees before a yes."""
    return Confirmation(request=request, runbook=runbook, height=height, aside=aside)


def also_here() -> ApprovalRequest:
    """Return a request for a host on which other things go on, and one that could not be seen."""
    request = hosts_differ()
    names = iter(request.states)
    busy, unseen = next(names), next(names)
    activity = Activity(
        facts={
            "maintenance": "Moving\x1b[2J to the new rack",
            "package_managers": [{"pid": 812, "name": "apt"}],
            "operators": [
                {"user": user, "origin": "192.0.2.7", "since_s": None}
                for user in ("ann", "bob", "eve")
            ],
        }
    )
    states = {
        **request.states,
        busy: replace(request.states[busy], activity=activity),
        unseen: replace(request.states[unseen], activity=Activity(reason="not permitted: /proc")),
    }
    return replace(request, states=states)


LONG_COMMAND = replace(
    BY_HAND,
    commands=(
        "journalctl --unit backend --since '10 minutes ago' --no-pager | grep --count 'Connection refused'",
    ),
)

PICTURES: Mapping[str, Callable[[], str]] = {
    "lines": lines,
    "lines-ascii": lambda: lines("ascii"),
    "tree": lambda: under_way().picture(),
    "tree-whole": lambda: under_way().picture(height=None),
    "tree-colour": lambda: under_way().picture(colour=True),
    "tree-wide": lambda: under_way().picture(width=119),
    "tree-wide-colour": lambda: under_way().picture(width=119, colour=True),
    "tree-small": lambda: under_way().picture(width=50, height=9),
    "confirmation": lambda: drawn(confirmation(one_host(), site_book())),
    "confirmation-colour": lambda: drawn(confirmation(one_host(), site_book()), colour=True),
    "confirmation-plain": lambda: drawn(confirmation(one_host(), site_book()), term="dumb"),
    "confirmation-wide": lambda: drawn(confirmation(hosts_differ(), site_book()), width=120),
    "confirmation-wide-colour": lambda: drawn(
        confirmation(hosts_differ(), site_book()), width=120, colour=True
    ),
    "confirmation-hosts-differ": lambda: drawn(confirmation(hosts_differ(), site_book())),
    "confirmation-cannot-predict": lambda: drawn(confirmation(cannot_predict(), site_book())),
    "confirmation-experienced": lambda: drawn(
        confirmation(experienced(), site_book(), height=21), width=120
    ),
    "confirmation-again": lambda: drawn(confirmation(*again())),
    "confirmation-also-here": lambda: drawn(confirmation(also_here(), site_book())),
    "confirmation-one-screen": lambda: drawn(
        confirmation(
            also_here(), site_book(), height=21, aside="1 of 4 hosts done, 1 more question after it"
        )
    ),
    "confirmation-undo": lambda: drawn(
        confirmation(replace(one_host(), undoing=True), site_book())
    ),
    "question-choices": lambda: asked_of(WHICH, "", "e", "2"),
    "question-by-hand": lambda: asked_of(LONG_COMMAND, "d", "took long"),
    "question-by-hand-wide-colour": lambda: asked_of(LONG_COMMAND, "d", "", width=120, colour=True),
    "step-look": lambda: asked_of(next_step("site"), "?", "c"),
    "step-known-colour": lambda: asked_of(next_step("backend"), "s", "2", colour=True),
    "step-fix-wide": lambda: asked_of(next_step("restart"), "", "s it is agreed", width=120),
    "whole-diff": lambda: drawn(whole_diff(hosts_differ())),
    "whole-evidence": lambda: whole_evidence(hosts_differ().states, hosts_differ().evidence) + "\n",
    "summary": lambda: drawn(summary(finish())),
    "summary-colour": lambda: drawn(summary(finish()), colour=True),
    "summary-wide": lambda: drawn(summary(finish()), width=120),
    "summary-text": lambda: summary_text(finish()) + "\n",
    "summary-diagnosed": lambda: summary_text(diagnosed()) + "\n",
    "summary-interrupted": lambda: (
        summary_text(replace(finish(), interrupted="interrupted by SIGINT")) + "\n"
    ),
}
