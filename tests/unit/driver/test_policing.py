"""A policy is asked before anybody else, and its guards count what the journal has."""

from collections.abc import Sequence
from dataclasses import replace

from runbook.driver.policing import PolicedOperator, past_fixes
from runbook.executor.scripted import ScriptedFix
from runbook.journal import Entry, MilestoneFilter, RunSummary
from runbook.journal.memory import MemoryJournal
from runbook.model.definition import FixResult
from runbook.model.event import FixApproved, FixDeclined
from runbook.model.observation import Verification
from runbook.model.policy import Budget, Guards, Permission, Policy, Rule, Scope, Source
from runbook.model.verdict import Verdict
from tests.engine_harness import book, check, fix
from tests.unit.driver.stage import FAULTY, ONE_FIX, Person, Stage, host

ALL = Rule(name="all", permission=Permission.AUTO)
WEB = {"web1": replace(host(), groups=("web",)), "db1": replace(host(), groups=("db",))}


def policed(
    policy: Policy, person: Person, journal: MemoryJournal, **other: object
) -> PolicedOperator:
    """Put a policy before a person who says yes."""
    given: dict[str, object] = {"source": Source.PERSON, "attended": False, "clock": lambda: 0.0}
    return PolicedOperator(
        operator=person,
        policy=policy,
        runbook=ONE_FIX,
        journal=journal,
        **(given | other),  # type: ignore[arg-type]  # each its own type
    )


def test_what_is_denied_is_declined_and_the_rest_is_asked() -> None:
    """One cohort, two groups: the database is left alone by rule, the web server is asked about."""
    person, journal = Person(), MemoryJournal()
    denies = Rule(name="leave databases", permission=Permission.DENY, groups=("db",))
    operator = policed(Policy(name="prod", rules=(ALL, denies)), person, journal)
    stage = Stage(runbook=ONE_FIX, hosts=WEB, operator=operator, journal=journal)

    stage.play()

    assert stage.verdicts == {"web1": Verdict.RESOLVED, "db1": Verdict.DECLINED}
    assert [request.hosts for request in person.asked] == [("web1",)]
    assert [request.hosts for request in stage.fixes] == [("web1",)]
    [declined] = stage.of(FixDeclined)
    assert isinstance(declined, FixDeclined)
    assert declined.reason == "policy prod: rule “leave databases”"
    assert declined.guard == ""


def test_where_all_is_denied_nobody_is_asked() -> None:
    """The default is no: nobody is bothered, and the policy is named as the one that said it."""
    person, journal = Person(), MemoryJournal()
    stage = Stage(
        runbook=ONE_FIX,
        hosts=WEB,
        operator=policed(Policy(name="prod"), person, journal),
        journal=journal,
    )

    assert stage.play() is Verdict.DECLINED

    assert person.asked == []
    assert {(event.by, event.reason) for event in stage.of(FixDeclined)} == {  # type: ignore[union-attr]
        ("policy prod", "policy prod: no rule allows it")
    }


def test_a_persons_yes_is_one_yes() -> None:
    """`ask` is answered by the person; where two have to say yes, one is not enough."""
    asks = Rule(name="ask", permission=Permission.ASK)
    for people, verdict in ((1, Verdict.RESOLVED), (2, Verdict.DECLINED)):
        journal = MemoryJournal()
        policy = Policy(name="prod", rules=(replace(asks, people=people),))
        stage = Stage(
            runbook=ONE_FIX,
            hosts={"web1": host()},
            operator=policed(policy, Person(), journal),
            journal=journal,
        )
        assert stage.play() is verdict


def test_nobody_watches_an_alert() -> None:
    """What a person would have to be asked about is declined where an alert started the run."""
    journal = MemoryJournal()
    policy = Policy(name="prod", rules=(Rule(name="ask", permission=Permission.ASK),))
    stage = Stage(
        runbook=ONE_FIX,
        hosts={"web1": host()},
        operator=policed(policy, Person(), journal, source=Source.ALERT),
        journal=journal,
    )

    assert stage.play() is Verdict.DECLINED


def test_a_budget_counts_the_fixes_of_earlier_runs_and_of_this_question() -> None:
    """Two a day for the runbook: one was done an hour ago, so one of two hosts gets its fix."""
    journal = MemoryJournal()
    earlier = Stage(
        runbook=ONE_FIX,
        hosts={"web9": host({"up": [replace(FAULTY, seen_at=-3600.0)]})},
        journal=journal,
        run="20260101-000000-0001",
        now=-3600.0,
    )
    assert earlier.play() is Verdict.RESOLVED
    policy = Policy(
        name="prod",
        rules=(ALL,),
        guards=Guards(budgets=(Budget(fixes=2, scope=Scope.RUNBOOK, within_s=86400),)),
    )
    stage = Stage(
        runbook=ONE_FIX,
        hosts={"web1": host(), "web2": host()},
        operator=policed(policy, Person(), journal),
        journal=journal,
    )

    stage.play()

    assert stage.verdicts == {"web1": Verdict.RESOLVED, "web2": Verdict.DECLINED}
    [declined] = stage.of(FixDeclined)
    assert isinstance(declined, FixDeclined)
    assert declined.reason == (
        "policy prod: budget: fixes by this runbook within 1 d: 2; at most 2"
    )
    assert declined.guard == "budget"


def test_looking_back_asks_the_journal_twice_however_many_runs_there_are() -> None:
    """Another runbook's fixes count for the host and not for this runbook, and no run is looked up."""

    class Counting(MemoryJournal):
        asked = 0

        def find(self, prefix: str) -> RunSummary:
            raise AssertionError(f"{prefix} was looked up by itself")

        def milestones(self, which: MilestoneFilter) -> Sequence[Entry]:
            self.asked += 1
            return super().milestones(which)

    journal = Counting()
    for number, runbook in enumerate([ONE_FIX, replace(ONE_FIX, name="other"), ONE_FIX]):
        Stage(runbook=runbook, hosts={"web1": host()}, journal=journal, run=f"run-{number}").play()

    past = past_fixes(journal, ONE_FIX, 60.0, 1.0)

    assert [(one.runbook, one.host, one.cause) for one in past] == [
        (ONE_FIX.name, "web1", "stopped"),
        ("", "web1", ""),
        (ONE_FIX.name, "web1", "stopped"),
    ]
    assert journal.asked == 2


def test_a_run_stops_fixing_after_failures() -> None:
    """One fix without effect is enough where one is named: the second fix is not done."""
    journal = MemoryJournal()
    runbook = book(
        check("up", failed="restart"),
        fix("restart", symptom="up", no_effect="replace"),
        fix("replace", symptom="up"),
    )
    useless = ScriptedFix(verification=Verification(result=FixResult.NO_EFFECT))
    policy = Policy(name="prod", rules=(ALL,), guards=Guards(failures=1))
    stage = Stage(
        runbook=runbook,
        hosts={"web1": host({"up": [FAULTY]}, {"restart": [useless]})},
        operator=replace(policed(policy, Person(), journal), runbook=runbook),
        journal=journal,
    )

    stage.play()

    assert [event.step for event in stage.of(FixApproved)] == ["restart"]  # type: ignore[union-attr]
    [declined] = stage.of(FixDeclined)
    assert isinstance(declined, FixDeclined)
    assert declined.reason == (
        "policy prod: failures: fixes of this run that did not help: 1; stop at 1"
    )


def test_shares_count_only_where_nobody_watches() -> None:
    """Six of six hosts with one cause: `--yes` leaves them alone, a person at a terminal decides."""
    policy = Policy(name="prod", rules=(ALL,), guards=Guards(shared_cause=0.5))
    for attended, verdict in ((False, Verdict.DECLINED), (True, Verdict.RESOLVED)):
        journal = MemoryJournal()
        stage = Stage(
            runbook=ONE_FIX,
            hosts={f"web{number}": host() for number in range(6)},
            operator=policed(policy, Person(), journal, attended=attended),
            journal=journal,
        )
        assert stage.play() is verdict


def test_a_pause_holds_a_fix_that_was_approved() -> None:
    """The switch is looked at when a fix is about to begin: it is declined, with who and why."""
    stage = Stage(runbook=ONE_FIX, hosts={"web1": host()}, paused=lambda: "paused by ann: moving")

    assert stage.play() is Verdict.DECLINED

    assert stage.fixes == []
    assert len(stage.of(FixApproved)) == 1
    [declined] = stage.of(FixDeclined)
    assert isinstance(declined, FixDeclined)
    assert (declined.by, declined.reason) == ("runbook", "paused by ann: moving")
