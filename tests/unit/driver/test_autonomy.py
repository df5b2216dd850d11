"""Autonomy from the journal: runs that people approved, then runs that nobody watches."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from runbook.driver.policing import PolicedOperator
from runbook.driver.standings import standings
from runbook.engine.autonomy import Standing
from runbook.executor.scripted import ScriptedFix
from runbook.journal.memory import MemoryJournal
from runbook.model.definition import FixResult
from runbook.model.event import Event, FixApproved, FixDeclined, FixRechecked, UndoIntended
from runbook.model.observation import TaskChange, Verification
from runbook.model.policy import Permission, Policy, Rule, Source
from runbook.model.verdict import Verdict
from tests.unit.driver.stage import ONE_FIX, Person, Stage, host

EARNS = Rule(name="earns", permission=Permission.ASK, groups=("web", "api"), autonomy=2)
POLICY = Policy(name="prod", rules=(EARNS,))
RECURRED = Verification(result=FixResult.RECURRED)
USELESS = ScriptedFix(verification=Verification(result=FixResult.NO_EFFECT))


@dataclass
class World:
    """A journal, to which each run adds."""

    journal: MemoryJournal = field(default_factory=MemoryJournal)
    runs: int = 0

    def run(
        self,
        source: Source = Source.PERSON,
        *,
        group: str = "web",
        fix: Sequence[ScriptedFix] = (ScriptedFix(),),
    ) -> Stage:
        """Have one more run end; whoever answers says yes where the policy lets them."""
        self.runs += 1
        operator = PolicedOperator(
            operator=Person(name="ann" if source is Source.PERSON else source.value),
            policy=POLICY,
            runbook=ONE_FIX,
            journal=self.journal,
            source=source,
            attended=source is Source.PERSON,
            clock=lambda: 0.0,
        )
        stage = Stage(
            runbook=ONE_FIX,
            hosts={"h1": replace(host(fixes={"restart": fix}), groups=(group,))},
            operator=operator,
            journal=self.journal,
            run=f"r{self.runs}",
            now=self.runs / 10,
        )
        stage.play()
        return stage


def why(stage: Stage) -> str:
    """Return the reason that the journal has for doing the fix, or for leaving it."""
    [event] = stage.of(FixApproved, FixDeclined)
    assert isinstance(event, FixApproved | FixDeclined)
    return event.reason


def test_what_people_approved_and_saw_work_is_done_by_itself() -> None:
    """After two of them an alert's run fixes; the journal has the figure that let it, and kept it."""
    world = World()
    world.run()
    early = world.run(Source.ALERT)
    assert early.verdicts == {"h1": Verdict.DECLINED}
    assert why(early) == (
        "policy prod: rule “earns”: a person has to approve it"
        " (1 of 2 in a row approved and verified on group web)"
    )
    world.run()

    alone = world.run(Source.ALERT)

    assert alone.verdicts == {"h1": Verdict.RESOLVED}
    assert why(alone) == (
        "policy prod: rule “earns”: earned: 2 of 2 in a row approved and verified on group web"
    )


def test_what_it_does_by_itself_earns_nothing_and_one_failure_takes_all() -> None:
    """Only people's yes counts; a fix without effect has people asked again, with the reason."""
    world = World()
    world.run()
    world.run()
    assert world.run(Source.SCHEDULE, fix=[USELESS]).verdicts == {"h1": Verdict.UNRESOLVED}

    asked = world.run(Source.SCHEDULE)

    assert asked.verdicts == {"h1": Verdict.DECLINED}
    assert why(asked).endswith(
        "(0 of 2 in a row approved and verified on group web, since h1 in run r3: no effect)"
    )
    world.run()
    assert world.run(Source.SCHEDULE).verdicts == {"h1": Verdict.DECLINED}
    world.run()
    assert world.run(Source.SCHEDULE).verdicts == {"h1": Verdict.RESOLVED}


def test_what_only_its_fallback_did_earns_nothing_and_takes_nothing() -> None:
    """A task failed, what its author wrote for that case helped: the figure stays as it was."""
    world = World()
    rescued = ScriptedFix(changes=(TaskChange(name="Restart it", status="failed"),))
    world.run()
    world.run(fix=[rescued])

    asked = world.run(Source.ALERT)

    assert asked.verdicts == {"h1": Verdict.DECLINED}
    assert "(1 of 2 in a row approved and verified on group web)" in why(asked)
    world.run()
    assert world.run(Source.ALERT).verdicts == {"h1": Verdict.RESOLVED}


def test_other_hosts_have_to_earn_it_themselves() -> None:
    """What worked on one group is asked about on the other."""
    world = World()
    world.run()
    world.run()

    assert world.run(Source.ALERT, group="api").verdicts == {"h1": Verdict.DECLINED}


@pytest.mark.parametrize(
    ("later", "said"),
    [
        (UndoIntended(host="h1", step="restart", invocation="u", by="ann"), "taken back"),
        (FixRechecked(host="h1", step="restart", verification=RECURRED), "did not last"),
    ],
)
def test_what_was_taken_back_or_fell_back_did_not_work(later: Event, said: str) -> None:
    """Whatever had been seen after the second one: it is undone, or has not lasted; it asks again."""
    world = World()
    world.run()
    last = world.run()
    world.journal.append(last.run, [later], at=1.0, who="ann")

    asked = world.run(Source.ALERT)

    assert asked.verdicts == {"h1": Verdict.DECLINED}
    assert f"since h1 in run r2: {said}" in why(asked)


def test_standings_say_where_each_fix_is() -> None:
    """By group: one has earned it, the other lost it, and to whom."""
    world = World()
    world.run()
    world.run()
    world.run(group="api", fix=[USELESS])

    api, web = sorted(
        standings(POLICY, world.journal, datetime(2026, 1, 1, tzinfo=UTC)),
        key=lambda row: row.group,
    )

    assert (web.runbook, web.fix, web.group, web.after) == ("example", "restart", "web", 2)
    assert (web.answer, web.standing) == (Permission.AUTO, Standing(verified=2))
    assert (api.group, api.answer, api.standing.verified) == ("api", Permission.ASK, 0)
    assert api.standing.failure is not None
    assert (api.standing.failure.run, api.standing.failure.why) == ("r3", "no effect")
