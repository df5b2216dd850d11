"""A case of a rehearsal as its run would be told, for who wants to read along."""

import io

from runbook.driver.operator import Question
from runbook.model.definition import Runbook
from runbook.rehearsal.cases import Case
from runbook.rehearsal.playing import Played, play
from runbook.views.plain import PlainObserver
from runbook.views.questions import say_question
from runbook.views.safe_text import printable
from runbook.views.words import say_hosts


def walked(runbook: Runbook, case: Case) -> tuple[list[Played], list[str]]:
    """Play a case; return each host's end, and the walk in lines; raise RunbookError as a run does.

    Texts are as written: there is no host to render them for.
    """
    told = io.StringIO()

    def asked(question: Question) -> None:
        told.write(f"{say_hosts(question.hosts)}: … asked: {printable(question.title)}\n")
        told.writelines(f"    {line}\n" for line in say_question(question.step))

    played = play(runbook, case, observer=_Walk(runbook=runbook, stream=told), asked=asked)
    return played, told.getvalue().splitlines()


class _Walk(PlainObserver):
    """Writes down what happens, not what is being done: nothing takes any time."""

    def working(self, hosts: tuple[str, ...], what: str) -> None:
        """Pass over the note."""
