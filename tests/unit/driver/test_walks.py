"""Questions, instructions, watches, bundles and called runbooks, driven to their ends."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from runbook.driver.operator import ApprovingOperator
from runbook.executor import Deliver, HostObserved, Report, Request, WatchRequest
from runbook.executor.scripted import ScriptedExecutor, ScriptedInvocation
from runbook.model.definition import Ask, Expiry, Fix, Manual, Runbook
from runbook.model.event import Answered, Event, HostFinished, StepConcluded
from runbook.model.observation import Observation, Texts
from runbook.model.verdict import Verdict
from tests.engine_harness import (
    ask,
    book,
    check,
    collect,
    fix,
    manual,
    seen,
    to,
    watch,
)
from tests.unit.driver.stage import FAULTY, FINE, MENDED, ONE_FIX, Late, Person, Stage, host

SOON_S = 0.2


def _asking() -> Runbook:
    return book(
        check("up", failed="which"),
        ask("which", {"left": "end:unresolved", "right": "end:escalated"}, expires="end:declined"),
    )


def _expiring(runbook: Runbook, step: str) -> Runbook:
    """Shorten how long a question waits."""
    found = runbook.steps[step]
    assert isinstance(found, Ask | Manual)
    short = replace(found, expires=Expiry(after_s=SOON_S, next=to("end:declined")))
    return replace(runbook, steps={**runbook.steps, step: short})


def test_a_question_takes_the_way_of_its_answer() -> None:
    """Both hosts are asked about once, and go where the choice leads; the journal names who."""
    person = Person(chooses=lambda _: "left")
    stage = Stage(runbook=_asking(), hosts={"web1": host(), "web2": host()}, operator=person)

    assert stage.play() is Verdict.UNRESOLVED
    assert [question.hosts for question in person.questions] == [("web1", "web2")]
    answers = [event for event in stage.events if isinstance(event, Answered)]
    assert {(event.host, event.answer, event.by) for event in answers} == {
        ("web1", "left", "ann"),
        ("web2", "left", "ann"),
    }


def test_an_instruction_is_put_as_it_was_rendered_for_the_host() -> None:
    """What Ansible made of its templates is what the operator reads, and copies."""
    step = replace(manual("hand", "end:resolved"), instruction="Log in to {{ h }}", commands=("a",))
    texts = {"hand": Texts(title="By hand", instruction="Log in to web1", commands=("ssh web1",))}
    person = Person(chooses=lambda _: "done")
    stage = Stage(runbook=book(step), hosts={"web1": host()}, operator=person)
    stage.executor = Rendering(hosts=stage.hosts, texts=texts)

    stage.play()

    (question,) = person.questions
    assert isinstance(question.step, Manual)
    assert question.step.instruction == "Log in to web1"
    assert question.step.commands == ("ssh web1",)


def test_choices_are_put_as_they_were_rendered_for_the_host() -> None:
    """Title and help of each answer are those of the host; its id is answered, its title kept."""
    step = ask("which", {"now": "end:resolved", "never": "end:declined"})
    texts = {"which": Texts(title="When?", choices=("Now, on web1", "Never"), helps=("Quick", ""))}
    person = Person(chooses=lambda _: "now")
    stage = Stage(runbook=book(step), hosts={"web1": host()}, operator=person)
    stage.executor = Rendering(hosts=stage.hosts, texts=texts)

    assert stage.play() is Verdict.RESOLVED

    (question,) = person.questions
    (answered,) = (event for event in stage.events if isinstance(event, Answered))
    assert (answered.answer, answered.title) == ("now", "Now, on web1")
    assert isinstance(question.step, Ask)
    assert [(one.id, one.title, one.help) for one in question.step.choices] == [
        ("now", "Now, on web1", "Quick"),
        ("never", "Never", ""),
    ]


@dataclass(kw_only=True)
class Rendering(ScriptedExecutor):
    """A script whose observations bring texts, as Ansible's do."""

    texts: Mapping[str, Texts]

    def start(self, request: Request, deliver: Deliver) -> ScriptedInvocation:
        """Begin, and return at once."""

        def with_texts(report: Report) -> None:
            if isinstance(report, HostObserved):
                report = replace(report, texts=self.texts)
            deliver(report)

        return super().start(request, with_texts)


def test_a_question_nobody_answers_expires() -> None:
    """Its expiry branch is taken, in the name of nobody."""
    stage = Stage(runbook=_expiring(_asking(), "which"), hosts={"web1": host()}, operator=Person())

    assert stage.play() is Verdict.DECLINED
    (answer,) = stage.of(Answered)
    assert isinstance(answer, Answered)
    assert (answer.answer, answer.by) == ("expired", "nobody")


def test_yes_beforehand_answers_no_question() -> None:
    """--yes approves fixes; a question waits for its expiry."""
    stage = Stage(
        runbook=_expiring(_asking(), "which"),
        hosts={"web1": host()},
        operator=ApprovingOperator(name="ann"),
    )

    assert stage.play() is Verdict.DECLINED
    assert [type(event) for event in stage.of(Answered)] == [Answered]


def test_an_answer_that_comes_too_late_changes_nothing() -> None:
    """The reply to a question that has expired is passed over; the run goes on undisturbed."""
    person = Late()
    stage = Stage(
        runbook=_expiring(_asking(), "which"),
        hosts={"web1": host(), "web2": host(None, None, "up")},
        operator=person,
    )

    def on_event(event: Event) -> None:
        if isinstance(event, HostFinished) and event.host == "web1":
            person.answer_now()
            stage.script.cancel_all()

    stage.on_event = on_event

    stage.play()
    assert stage.verdicts == {"web1": Verdict.DECLINED, "web2": Verdict.UNKNOWN}
    assert [event.answer for event in stage.events if isinstance(event, Answered)] == ["expired"]


def test_what_a_person_did_by_hand_is_looked_at_afresh() -> None:
    """After "done" nothing seen before counts: the check is looked at again and passes."""
    runbook = book(
        check("up", failed="plug", max_visits=2),
        manual("plug", done="up", not_done="end:unresolved"),
    )
    stage = Stage(
        runbook=runbook,
        hosts={"web1": host({"up": [FAULTY, FINE]})},
        operator=Person(chooses=lambda _: "done"),
    )

    assert stage.play() is Verdict.RESOLVED
    assert [request.wants for request in stage.looks[1:]] == [{"web1": ("up",)}]


def test_an_instruction_nobody_carries_out_expires() -> None:
    """A manual step waits as a question does."""
    runbook = book(check("up", failed="plug"), manual("plug", done="up"))
    stage = Stage(runbook=_expiring(runbook, "plug"), hosts={"web1": host()}, operator=Person())

    assert stage.play() is Verdict.DECLINED


def test_a_watch_is_asked_for_and_its_result_taken() -> None:
    """The check is repeated by the executor through the period; what it says decides."""
    runbook = book(check("up", passed="steady"), watch("steady", "up"))
    fine = host({"up": [FINE], "steady": [FINE]})
    flapping = host({"up": [FINE], "steady": [FAULTY]})
    stage = Stage(runbook=runbook, hosts={"web1": fine, "web2": flapping})

    assert stage.play() is Verdict.UNRESOLVED
    assert stage.verdicts == {"web1": Verdict.HEALTHY, "web2": Verdict.UNRESOLVED}
    assert [type(item) for item in stage.script.requests].count(WatchRequest) == 1


def test_a_bundle_is_gathered_on_the_way() -> None:
    """A collect step is looked at and left for its next."""
    runbook = book(check("up", failed="logs"), collect("logs", "end:escalated"))
    stage = Stage(runbook=runbook, hosts={"web1": host({"up": [FAULTY], "logs": [FINE]})})

    assert stage.play() is Verdict.ESCALATED
    assert [
        (event.step, event.result) for event in stage.events if isinstance(event, StepConcluded)
    ] == [("up", "failed"), ("logs", "passed")]


def test_a_called_runbook_is_walked_by_its_qualified_steps() -> None:
    """Steps of a called runbook are looked at, asked about and fixed under their qualified ids."""
    runbook = book(
        check("up", failed="deploy/imports"),
        check("deploy/imports", failed="deploy/install", scope="deploy"),
        fix("deploy/install", symptom="deploy/imports", scope="deploy", resolved="up"),
    )
    scripted = host(
        {"up": [FAULTY, FINE], "deploy/imports": [FAULTY]}, {"deploy/install": [MENDED]}
    )
    person = Person()
    stage = Stage(runbook=runbook, hosts={"web1": scripted}, operator=person)

    assert stage.play() is Verdict.RESOLVED
    assert [request.fix.id for request in person.asked] == ["deploy/install"]


def test_what_was_seen_and_answered_is_passed_on_to_the_fix() -> None:
    """The request carries facts of the epoch and the choice, as data; what is unknown is left out."""
    runbook = book(
        check("up", failed="blurred"),
        check("blurred", unknown="which"),
        ask("which", {"left": "restart"}),
        fix("restart", symptom="up", needs=("up", "which")),
    )
    blurred: Observation = seen("unknown", port=1)
    scripted = host({"up": [seen("failed", port=8000)], "blurred": [blurred]})
    stage = Stage(
        runbook=runbook, hosts={"web1": scripted}, operator=Person(chooses=lambda _: "left")
    )

    stage.play()

    (request,) = stage.fixes
    known = request.known["web1"]
    assert known["up"] == {"port": 8000}
    assert known["which"] == {"choice": "left"}
    assert "blurred" not in known


def test_harmless_fixes_are_not_asked_about() -> None:
    """A fix that is not destructive is done without an approval."""
    restart = ONE_FIX.steps["restart"]
    assert isinstance(restart, Fix)
    harmless = replace(restart, destructive=False)
    runbook = replace(ONE_FIX, steps={**ONE_FIX.steps, "restart": harmless})
    person = Person()
    stage = Stage(runbook=runbook, hosts={"web1": host()}, operator=person)

    assert stage.play() is Verdict.RESOLVED
    assert not person.asked
