"""Asking a person at a terminal, one question at a time, while the run goes on."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread

from rich.console import Console
from rich.text import Text

from runbook.driver.operator import (
    Answer,
    ApprovalReply,
    ApprovalRequest,
    EndRun,
    Question,
    StepReply,
    StepRequest,
)
from runbook.model.definition import Ask, Goto, Manual, Runbook
from runbook.views.console import View
from runbook.views.deciding import Deciding
from runbook.views.dialogue import Dialogue
from runbook.views.heading import Heading
from runbook.views.keyboard import Keyboard
from runbook.views.safe_text import printable, printable_lines
from runbook.views.stepping import Stepping
from runbook.views.words import VERDICTS, say_duration, say_hosts


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

    def __post_init__(self) -> None:
        self._dialogue = Dialogue(console=self.console, keyboard=self.keyboard)
        self._stepping = Stepping(name=self.name, runbook=self.runbook, dialogue=self._dialogue)
        self._deciding = Deciding(name=self.name, runbook=self.runbook, dialogue=self._dialogue)

    def approve(self, request: ApprovalRequest, reply: Callable[[ApprovalReply], None]) -> None:
        """Ask whether a fix may be done."""
        self._queue(lambda: self._approve(request, reply))

    def answer(self, question: Question, reply: Callable[[Answer], None]) -> None:
        """Put a question of the runbook, for as long as it allows."""
        until = time.monotonic() + question.step.expires.after_s
        self._queue(lambda: self._answer(question, reply, until))

    def step(self, request: StepRequest, reply: Callable[[StepReply], None]) -> None:
        """Ask what to do with the next step."""
        self._queue(lambda: self._step(request, reply))

    def leave(self) -> None:
        """Let go of the terminal, in the middle of a question too."""
        self.keyboard.close()

    def _step(self, request: StepRequest, reply: Callable[[StepReply], None]) -> None:
        answer: StepReply = EndRun(by=self.name, reason="the question could not be put")
        try:
            answer = self._stepping.ask(request)
        except OSError:
            answer = EndRun(by=self.name, reason="the terminal is gone")
        finally:  # Whatever happens, the run must not wait for ever.
            reply(answer)

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

    def _approve(self, request: ApprovalRequest, reply: Callable[[ApprovalReply], None]) -> None:
        answer: ApprovalReply | None = self._deciding.no("the question could not be put")
        try:
            answer = self._deciding.decide(request, waiting=self._waiting.qsize())
        except OSError:
            answer = self._deciding.no("the terminal is gone")
        finally:  # Whatever happens, the run must not wait for ever.
            if answer is not None:
                reply(answer)

    # Questions

    def _answer(self, question: Question, reply: Callable[[Answer], None], until: float) -> None:
        try:
            answer = self._put_question(question, until)
        except OSError as gone:
            if isinstance(gone, TimeoutError):
                self._dialogue.say("\nThe time for an answer is over; the run goes on without it.")
            return
        match answer:
            case Answer():
                reply(answer)
            case "later":
                self._queue(lambda: self._answer(question, reply, until))
            case _:
                self._dialogue.say("\nNo answer: the run waits until the time for one is over.")

    def _put_question(self, question: Question, until: float) -> Answer | str | None:
        """Return the answer, `later` to be asked again after others, None for no answer at all."""
        step = question.step
        self._dialogue.show(Heading("Your answer is needed"))
        self._dialogue.show(
            Text.assemble((printable(question.title), "bold"), f" ({say_hosts(question.hosts)})")
        )
        self._dialogue.say("\n".join(printable_lines(step.help)) if step.help else "")
        left = say_duration(until - time.monotonic())
        self._dialogue.say(f"Without an answer within {left} it goes on with: {self._after(step)}")
        match step:
            case Ask():
                return self._choose(step, until)
            case Manual():
                return self._by_hand(step, until)

    def _choose(self, step: Ask, until: float) -> Answer | str | None:
        for number, choice in enumerate(step.choices, start=1):
            told = f" — {printable(choice.help)}" if choice.help else ""
            self._dialogue.say(f"  {number}  {printable(choice.title)}{told}")
        answers = {choice.id: choice.id for choice in step.choices}
        answers |= {str(number): choice.id for number, choice in enumerate(step.choices, start=1)}
        while True:
            line = self._dialogue.ask(f"Which, 1 to {len(step.choices)}? ", until)
            if line is None:
                return None
            if line in answers:
                return Answer(answer=answers[line], by=self.name)
            if not line and not self._waiting.empty():
                return "later"
            self._dialogue.say("A number of the list, please; there is no answer by default.")

    def _by_hand(self, step: Manual, until: float) -> Answer | str | None:
        self._dialogue.say("\n".join(printable_lines(step.instruction)))
        for command in step.commands:
            # A command is to be copied: the terminal may break it, we may not.
            for part in printable_lines(command):
                self.console.print(f"    {part}", style="bold", soft_wrap=True)
        while True:
            line = self._dialogue.ask("Is it done? [d]one [n]ot done: ", until)
            if line is None:
                return None
            answer = {"d": "done", "n": "not_done"}.get(line.lower()[:1])
            if answer is not None:
                note = self._dialogue.ask("Note (Enter: none)? ", until)
                return Answer(answer=answer, by=self.name, note=printable(note or ""))
            if not line and not self._waiting.empty():
                return "later"
            self._dialogue.say(
                "Type d once it is done, or n if it cannot be; nothing is assumed by default."
            )

    def _after(self, step: Ask | Manual) -> str:
        target = step.expires.next
        if isinstance(target, Goto):
            return printable(self.runbook.steps[target.step].title)
        return VERDICTS[target.verdict]
