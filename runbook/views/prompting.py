"""Asking a person at a terminal, one question at a time, while the run goes on."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread

from rich.console import Console

from runbook.driver.operator import (
    Answer,
    ApprovalReply,
    ApprovalRequest,
    EndRun,
    Question,
    StepReply,
    StepRequest,
)
from runbook.model.definition import Runbook
from runbook.views.answering import Answering, Later
from runbook.views.console import View
from runbook.views.deciding import Deciding
from runbook.views.dialogue import Dialogue
from runbook.views.keyboard import Keyboard
from runbook.views.stepping import Stepping


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
        self._answering = Answering(name=self.name, runbook=self.runbook, dialogue=self._dialogue)
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

    def _answer(self, question: Question, reply: Callable[[Answer], None], until: float) -> None:
        try:
            answer = self._answering.ask(question, until, others=lambda: not self._waiting.empty())
        except OSError as gone:
            if isinstance(gone, TimeoutError):
                self._dialogue.say("\nThe time for an answer is over; the run goes on without it.")
            return
        match answer:
            case Answer():
                reply(answer)
            case Later():
                self._queue(lambda: self._answer(question, reply, until))
            case _:
                self._dialogue.say("\nNo answer: the run waits until the time for one is over.")
