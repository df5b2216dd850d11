"""Putting a question of the runbook to a person: what led to it, and what can be answered."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from runbook.driver.operator import Answer, Question
from runbook.model.definition import Ask, Goto, Manual, Runbook
from runbook.views.details import whole_evidence
from runbook.views.dialogue import Dialogue
from runbook.views.heading import Heading
from runbook.views.led_here import led_here
from runbook.views.questions import say_choices, say_commands
from runbook.views.safe_text import printable, printable_lines
from runbook.views.words import VERDICTS, say_duration, say_hosts

_MOST_STEPS = 4
_MOST_GROUPS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Later:
    """The question is to be put again, after others that wait."""


@dataclass(kw_only=True)
class Answering:
    """Puts `ask` and `manual` steps to whoever sits at the keyboard; there is no answer by default."""

    name: str
    runbook: Runbook
    dialogue: Dialogue

    def ask(
        self, question: Question, until: float, *, others: Callable[[], bool]
    ) -> Answer | Later | None:
        """Return the answer, None for none at all; raise OSError, TimeoutError after `until`.

        `until` is by the monotonic clock; `others` says whether more questions wait.
        """
        step = question.step
        self.dialogue.show(Heading("Your answer is needed"))
        self.dialogue.show(
            Text.assemble((printable(question.title), "bold"), f" ({say_hosts(question.hosts)})")
        )
        self._tell_why(question)
        self.dialogue.say("\n".join(printable_lines(step.help)) if step.help else "")
        left = say_duration(until - time.monotonic())
        self.dialogue.say(f"Without an answer within {left} it goes on with: {self._after(step)}")
        match step:
            case Ask():
                return self._choose(step, question, until, others)
            case Manual():
                return self._by_hand(step, question, until, others)

    def _tell_why(self, question: Question) -> None:
        rows = led_here(
            self.runbook, question.states, most_steps=_MOST_STEPS, most_groups=_MOST_GROUPS
        )
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(style="dim", no_wrap=True)
        table.add_column()
        for number, row in enumerate(rows):
            table.add_row("Led here" if number == 0 else "", row)
        if rows:
            self.dialogue.show(table)

    def _choose(
        self, step: Ask, question: Question, until: float, others: Callable[[], bool]
    ) -> Answer | Later | None:
        self.dialogue.say("\n".join(say_choices(step)))
        answers = {choice.id: choice.id for choice in step.choices}
        answers |= {str(number): choice.id for number, choice in enumerate(step.choices, start=1)}
        while True:
            line = self.dialogue.ask(f"Which, 1 to {len(step.choices)} (e: evidence)? ", until)
            if line is None:
                return None
            if line in answers:
                return Answer(answer=answers[line], by=self.name)
            if line in ("e", "evidence"):
                self._tell_all(question)
                self.dialogue.say("\n".join(say_choices(step)))  # They have scrolled away.
                continue
            if not line and others():
                return Later()
            self.dialogue.say("A number of the list, please; there is no answer by default.")

    def _by_hand(
        self, step: Manual, question: Question, until: float, others: Callable[[], bool]
    ) -> Answer | Later | None:
        self.dialogue.say("\n".join(printable_lines(step.instruction)))
        for command in say_commands(step):
            # A command is to be copied: the terminal may break it, we may not.
            self.dialogue.console.print(command, style="bold", soft_wrap=True)
        while True:
            line = self.dialogue.ask("Is it done? [d]one [n]ot done [e]vidence: ", until)
            if line is None:
                return None
            answer = {"d": "done", "n": "not_done"}.get(line.lower()[:1])
            if answer is not None:
                note = self.dialogue.ask("Note (Enter: none)? ", until)
                return Answer(answer=answer, by=self.name, note=printable(note or ""))
            if line in ("e", "evidence"):
                self._tell_all(question)
                continue
            if not line and others():
                return Later()
            self.dialogue.say(
                "Type d once it is done, or n if it cannot be; nothing is assumed by default."
            )

    def _tell_all(self, question: Question) -> None:
        self.dialogue.say(whole_evidence(question.states, {}))

    def _after(self, step: Ask | Manual) -> str:
        target = step.expires.next
        if isinstance(target, Goto):
            return printable(self.runbook.steps[target.step].title)
        return VERDICTS[target.verdict]
