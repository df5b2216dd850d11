"""Asking a person at a terminal, one question at a time, while the run goes on."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from queue import SimpleQueue
from threading import Thread

from rich.console import Console, RenderableType
from rich.rule import Rule
from rich.text import Text

from runbook.driver.operator import Answer, ApprovalReply, ApprovalRequest, Question
from runbook.model.definition import Ask, Goto, Manual, Runbook
from runbook.views.confirmation import confirmation, whole_diff, whole_evidence
from runbook.views.console import View
from runbook.views.keyboard import Keyboard
from runbook.views.safe_text import printable, printable_lines
from runbook.views.words import VERDICTS, say_duration, say_hosts

_HELP = """\
y  yes, do it on all of these hosts
n  no (so is Enter); you may say why: n it is being deployed
s  split: choose among the hosts, by name or one by one
d  the whole diff that Ansible predicts
e  all evidence, as YAML
q  no to this, and to every later fix of this run"""


@dataclass(kw_only=True)
class TerminalOperator:
    """Puts approvals and questions to whoever sits at the keyboard.

    Asking returns at once: a thread of its own draws one prompt after the other, and the view steps
    aside meanwhile. Only a typed yes is a yes: Enter, the end of input and a terminal that is gone
    are a no; questions without an answer are left to their expiry.
    """

    name: str
    runbook: Runbook
    console: Console
    view: View
    keyboard: Keyboard
    wants_previews: bool = True
    _waiting: SimpleQueue[Callable[[], None]] = field(default_factory=SimpleQueue)
    _thread: Thread | None = None
    _refusing: bool = False

    def approve(self, request: ApprovalRequest, reply: Callable[[ApprovalReply], None]) -> None:
        """Ask whether a fix may be done."""
        self._queue(lambda: self._approve(request, reply))

    def answer(self, question: Question, reply: Callable[[Answer], None]) -> None:
        """Put a question of the runbook, for as long as it allows."""
        until = time.monotonic() + question.step.expires.after_s
        self._queue(lambda: self._answer(question, reply, until))

    def _queue(self, prompt: Callable[[], None]) -> None:
        self._waiting.put(prompt)
        if self._thread is None or not self._thread.is_alive():
            self._thread = Thread(target=self._serve, name="runbook-prompt", daemon=True)
            self._thread.start()

    def _serve(self) -> None:
        while True:
            prompt = self._waiting.get()
            self.view.pause()
            try:
                prompt()
                while not self._waiting.empty():
                    self._waiting.get()()
            finally:
                self.view.resume()

    # Approvals

    def _approve(self, request: ApprovalRequest, reply: Callable[[ApprovalReply], None]) -> None:
        answer = self._no("the question could not be put")
        try:
            answer = self._confirm(request)
        except OSError:
            answer = self._no("the terminal is gone")
        finally:  # Whatever happens, the run must not wait for ever.
            reply(answer)

    def _confirm(self, request: ApprovalRequest) -> ApprovalReply:
        where = say_hosts(request.hosts)
        if self._refusing:
            self._say(f"Declined as you asked: {printable(request.title)} on {where}")
            return self._no("everything more was declined")
        self._show(confirmation(request, self.runbook))
        one = len(request.hosts) == 1
        whom = where if one else f"{len(request.hosts)} hosts"
        split = "" if one else "[s]plit "
        keys = f"Do this on {whom}? [y]es [n]o {split}[d]iff [e]vidence [?] (Enter is no): "
        while True:
            line = self._ask(keys)
            key, _, rest = (line or "").partition(" ")
            match key.lower():
                case "y" | "yes" if not rest:
                    return self._yes(request.hosts, request)
                case "n" | "no":
                    return self._no(rest.strip() or self._ask("Why (Enter: no reason)? ") or "")
                case "":
                    return self._no("" if line is not None else "the input ended")
                case "s" | "split" if not one:
                    return self._yes(self._split(request), request)
                case "q" | "quit":
                    self._refusing = True
                    self._say("Declined, and so is every later fix of this run.")
                    return self._no("everything more was declined")
                case _:
                    self._tell_more(line or "", request)

    def _tell_more(self, line: str, request: ApprovalRequest) -> None:
        match line.lower():
            case "d" | "diff":
                self._show(whole_diff(request))
            case "e" | "evidence":
                self._say(whole_evidence(request))
            case "?" | "h" | "help":
                self._say(_HELP)
            case _:
                self._say(f"“{printable(line)}” is none of the answers; ? explains them.")

    def _split(self, request: ApprovalRequest) -> tuple[str, ...]:
        """Return the hosts that are chosen by name, or one by one."""
        while True:
            line = self._ask("On which hosts (names; Enter asks for one after the other)? ")
            if line is None:
                return ()
            names = line.replace(",", " ").split()
            unknown = [name for name in names if name not in request.hosts]
            if not unknown:
                break
            self._say(_not_a_host(unknown[0], request.hosts))
        if names:
            return tuple(host for host in request.hosts if host in names)
        chosen: list[str] = []
        for host in request.hosts:
            line = self._ask(f"Do this on {printable(host)}? [y]es [n]o (Enter is no): ")
            if line is None:
                return ()
            if line.lower() in ("y", "yes"):
                chosen.append(host)
        return tuple(chosen)

    def _yes(self, hosts: Sequence[str], request: ApprovalRequest) -> ApprovalReply:
        declined = [host for host in request.hosts if host not in hosts]
        if declined:
            yes = say_hosts(hosts) if hosts else "no host"
            self._say(f"Approved on {yes}; declined on {say_hosts(declined)}.")
        return ApprovalReply(approved=frozenset(hosts), by=self.name)

    def _no(self, reason: str) -> ApprovalReply:
        return ApprovalReply(approved=frozenset(), by=self.name, reason=printable(reason))

    # Questions

    def _answer(self, question: Question, reply: Callable[[Answer], None], until: float) -> None:
        try:
            answer = self._put_question(question, until)
        except OSError as gone:
            if isinstance(gone, TimeoutError):
                self._say("\nThe time for an answer is over; the run goes on without it.")
            return
        match answer:
            case Answer():
                reply(answer)
            case "later":
                self._queue(lambda: self._answer(question, reply, until))
            case _:
                self._say("\nNo answer: the run waits until the time for one is over.")

    def _put_question(self, question: Question, until: float) -> Answer | str | None:
        """Return the answer, `later` to be asked again after others, None for no answer at all."""
        step = question.step
        self._show(Rule("Your answer is needed"))
        self._show(
            Text.assemble((printable(question.title), "bold"), f" ({say_hosts(question.hosts)})")
        )
        self._say("\n".join(printable_lines(step.help)) if step.help else "")
        left = say_duration(until - time.monotonic())
        self._say(f"Without an answer within {left} it goes on with: {self._after(step)}")
        match step:
            case Ask():
                return self._choose(step, until)
            case Manual():
                return self._by_hand(step, until)

    def _choose(self, step: Ask, until: float) -> Answer | str | None:
        for number, choice in enumerate(step.choices, start=1):
            told = f" — {printable(choice.help)}" if choice.help else ""
            self._say(f"  {number}  {printable(choice.title)}{told}")
        answers = {choice.id: choice.id for choice in step.choices}
        answers |= {str(number): choice.id for number, choice in enumerate(step.choices, start=1)}
        while True:
            line = self._ask(f"Which, 1 to {len(step.choices)}? ", until)
            if line is None:
                return None
            if line in answers:
                return Answer(answer=answers[line], by=self.name)
            if not line and not self._waiting.empty():
                return "later"
            self._say("A number of the list, please; there is no answer by default.")

    def _by_hand(self, step: Manual, until: float) -> Answer | str | None:
        self._say("\n".join(printable_lines(step.instruction)))
        for command in step.commands:
            # A command is to be copied: the terminal may break it, we may not.
            for part in printable_lines(command):
                self.console.print(f"    {part}", style="bold", soft_wrap=True)
        while True:
            line = self._ask("Is it done? [d]one [n]ot done: ", until)
            if line is None:
                return None
            answer = {"d": "done", "n": "not_done"}.get(line.lower()[:1])
            if answer is not None:
                note = self._ask("Note (Enter: none)? ", until)
                return Answer(answer=answer, by=self.name, note=printable(note or ""))
            if not line and not self._waiting.empty():
                return "later"
            self._say(
                "Type d once it is done, or n if it cannot be; nothing is assumed by default."
            )

    def _after(self, step: Ask | Manual) -> str:
        target = step.expires.next
        if isinstance(target, Goto):
            return printable(self.runbook.steps[target.step].title)
        return VERDICTS[target.verdict]

    # The terminal

    def _ask(self, text: str, until: float | None = None) -> str | None:
        self.keyboard.forget()
        self.console.print(text, end="", style="bold", soft_wrap=True)
        line = self.keyboard.line(None if until is None else until - time.monotonic())
        if line is None:
            self.console.print()
        return line

    def _show(self, what: RenderableType) -> None:
        self.console.print(what)

    def _say(self, text: str) -> None:
        if text:
            self.console.print(text, highlight=False, markup=False)


def _not_a_host(name: str, hosts: Sequence[str]) -> str:
    near = get_close_matches(name, hosts, n=1)
    hint = f" Did you mean {printable(near[0])}?" if near else ""
    return f"“{printable(name)}” is none of the hosts in question.{hint}"
