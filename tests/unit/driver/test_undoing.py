"""Taking a run back while somebody wants it to stop, or after somebody died while at it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from runbook.driver.stopping import Stop
from runbook.driver.undo import Undoing
from runbook.errors import RunbookError
from runbook.executor import Deliver, ObserveRequest, PreviewRequest, Request, UndoRequest
from runbook.executor.scripted import ScriptedExecutor, ScriptedFix, ScriptedInvocation
from runbook.model.definition import AnsibleTasks, FixResult
from runbook.model.event import Acted, UndoEnded, UndoIntended
from runbook.model.observation import Verification
from runbook.views.undoing import undo_document, undo_exit_code, undo_text
from tests.engine_harness import book, check, fix
from tests.unit.driver.stage import FAULTY, FINE, RUN, Person, Stage, host

ACTION = AnsibleTasks(bodies=({"ansible.builtin.command": {"cmd": "true"}},))
"""Never carried out: the executor is a script."""

NO_EFFECT = ScriptedFix(verification=Verification(result=FixResult.NO_EFFECT))
UNDONE = ScriptedFix(acted=Acted.CHANGED)


@dataclass(kw_only=True)
class Hooked(ScriptedExecutor):
    """Calls back when an undo has begun; `works_on` says what is taken for being at work."""

    on_undo: Callable[[], None] = lambda: None
    works_on: bool = False

    def start(self, request: Request, deliver: Deliver) -> ScriptedInvocation:
        """Begin, and call back."""
        invocation = super().start(request, deliver)
        if isinstance(request, UndoRequest):
            self.on_undo()
        return invocation

    def orphan(self, invocation: str) -> bool:
        """Say as told."""
        return self.works_on


def two_fixes() -> Stage:
    """Return a finished run that did two fixes, each with an undo."""
    first = fix("first", symptom="up", no_effect="second")
    second = fix("second", symptom="up")
    stage = Stage(
        runbook=book(
            check("up", failed="first"), replace(first, undo=ACTION), replace(second, undo=ACTION)
        ),
        hosts={"web1": host({"up": [FAULTY]}, {"first": [NO_EFFECT], "second": [NO_EFFECT]})},
    )
    stage.play()
    return stage


def undoing(stage: Stage, *stuck: str, works_on: bool = False) -> tuple[Undoing, Hooked]:
    """Return what takes the run back; undos in `stuck` come to their end only when cancelled."""
    script = replace(
        stage.hosts["web1"],
        undos={"first": [UNDONE], "second": [UNDONE]},
        stuck=frozenset(stuck),
    )
    executor = Hooked(hosts={"web1": script}, works_on=works_on)
    setting = replace(stage.setting, executor=executor)
    return Undoing(summary=stage.journal.find(RUN), setting=setting), executor


def test_the_first_signal_lets_the_undo_under_way_end_and_begins_no_other() -> None:
    """What was begun is written down with its end, the fix before it stays done, and can go later."""
    stage = two_fixes()
    taking, executor = undoing(stage)
    executor.on_undo = lambda: taking.stop(Stop(reason="interrupted by SIGINT"))

    taking.perform()

    assert taking.interrupted == "interrupted by SIGINT"
    assert taking.done == {"second": {"web1": Acted.CHANGED}}
    assert len(stage.of(UndoIntended)) == len(stage.of(UndoEnded)) == 1
    assert stage.journal.claims() == []
    rest, _ = undoing(stage)
    rest.perform()
    assert rest.interrupted is None
    assert rest.done == {"first": {"web1": Acted.CHANGED}}


def test_the_second_signal_gives_the_undo_under_way_up() -> None:
    """What it did is unknown then, and written down as that."""
    stage = two_fixes()
    taking, executor = undoing(stage, "second")

    def twice() -> None:
        taking.stop(Stop(reason="once"))
        taking.stop(Stop(reason="twice", now=True))

    executor.on_undo = twice

    taking.perform()

    assert taking.interrupted == "twice"
    [ended] = stage.of(UndoEnded)
    assert isinstance(ended, UndoEnded)
    assert ended.acted is Acted.UNKNOWN
    assert stage.journal.claims() == []


def test_a_signal_while_it_is_asked_about_undoes_nothing() -> None:
    """Nobody has answered: nothing is begun, nothing is held."""
    stage = two_fixes()
    stage.operator = Person(says=lambda _: None)
    taking, _ = undoing(stage)
    taking.stop(Stop(reason="interrupted by SIGTERM"))

    taking.perform()

    assert taking.interrupted == "interrupted by SIGTERM"
    assert stage.of(UndoIntended) == []
    assert stage.journal.claims() == []


def test_whoever_is_asked_sees_what_the_undo_would_change() -> None:
    """Ansible predicts the undo, not the fix; a stop meanwhile asks nobody."""
    stage = two_fixes()
    person = Person(wants_previews=True)
    stage.operator = person
    taking, executor = undoing(stage)

    taking.perform()

    assert [request.fix.id for request in person.asked] == ["second", "first"]
    assert all(set(request.previews) == {"web1"} for request in person.asked)
    previews = [item for item in executor.requests if isinstance(item, PreviewRequest)]
    assert [item.undo for item in previews] == [True, True]

    again = two_fixes()
    again.operator = late = Person(wants_previews=True)
    stopped, _ = undoing(again, "second")
    stopped.stop(Stop(reason="interrupted by SIGINT"))
    stopped.perform()
    assert (stopped.interrupted, late.asked) == ("interrupted by SIGINT", [])


def test_an_undo_that_fails_says_why_and_leaves_the_fixes_before_it() -> None:
    """The reason is told in words and as JSON; nothing before it is taken back."""
    stage = two_fixes()
    full = ScriptedFix(acted=Acted.FAILED, reason="the folder is not\x1b[2J empty")
    script = replace(stage.hosts["web1"], undos={"first": [UNDONE], "second": [full]})
    executor = Hooked(hosts={"web1": script})
    taking = Undoing(
        summary=stage.journal.find(RUN), setting=replace(stage.setting, executor=executor)
    )

    taking.perform()

    assert taking.done == {"second": {"web1": Acted.FAILED}}
    assert "web1: second: the undo FAILED: the folder is not\\x1b[2J empty" in undo_text(taking)
    assert undo_document(taking)["reasons"]["second"]["web1"].startswith("the folder")
    assert undo_exit_code(taking) == 1


def test_what_a_killed_undo_left_running_is_not_run_beside() -> None:
    """As long as an undo without an end is at work, another one does not begin."""
    stage = two_fixes()
    left = UndoIntended(host="web1", step="second", invocation="left", by="ann")
    stage.journal.append(RUN, [left], at=1.0, who="ann")
    taking, _ = undoing(stage, works_on=True)

    with pytest.raises(RunbookError) as error:
        taking.perform()

    assert error.value.problems[0].reference == "still-at-work"
    assert stage.of(UndoEnded) == []


def test_after_an_undo_the_look_brings_what_the_cause_is_judged_by() -> None:
    """A check that uses another one's result has it looked at as well; only cause and symptom are told."""
    stage = Stage(
        runbook=book(
            check("up", failed="holder"),
            check("holder", passed="used", failed="used"),
            check("used", failed="first", needs=("holder",)),
            replace(fix("first", symptom="up", verify_cause="used"), undo=ACTION),
        ),
        hosts={
            "web1": host(
                {"up": [FAULTY], "holder": [FINE], "used": [FAULTY]}, {"first": [NO_EFFECT]}
            )
        },
    )
    stage.play()
    taking, executor = undoing(stage)

    taking.perform()

    (look,) = [one for one in executor.requests if isinstance(one, ObserveRequest)]
    assert look.wants == {"web1": ("holder", "used", "up")}
    assert list(taking.seen["web1"]) == ["used", "up"]
