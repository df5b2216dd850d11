"""What a service that acts on nothing says it would have done."""

from dataclasses import replace

from runbook.driver.dry_run import would_have
from runbook.driver.policing import PolicedOperator
from runbook.journal.memory import MemoryJournal
from runbook.model.definition import Fix
from runbook.model.event import Mode
from runbook.model.policy import Permission, Policy, Rule, Source
from tests.engine_harness import seen
from tests.unit.driver.stage import ONE_FIX, Person, Stage, host

WEB = Rule(name="web", permission=Permission.AUTO, groups=("web",))
NIGHT = Rule(name="others", permission=Permission.ASK)


def test_each_host_is_told_as_its_policy_would_have_answered() -> None:
    """One would be fixed, one left with the rule as its reason, and a healthy one is not told of."""
    journal = MemoryJournal()
    stage = Stage(
        runbook=ONE_FIX,
        hosts={
            "web1": replace(host(), groups=("web",)),
            "db1": replace(host(), groups=("db",)),
            "web2": replace(host({"up": [seen("passed")]}), groups=("web",)),
        },
        journal=journal,
        mode=Mode.DIAGNOSE,
    )
    stage.play()
    operator = PolicedOperator(
        operator=Person(name="alert"),
        policy=Policy(name="prod", rules=(WEB, NIGHT)),
        runbook=ONE_FIX,
        journal=journal,
        source=Source.ALERT,
        attended=False,
        clock=lambda: 0.0,
    )
    entries = len(stage.events)

    found = would_have(ONE_FIX, journal, stage.run, operator)

    assert {one.host: (one.fix, one.does, one.reason) for one in found} == {
        "web1": ("restart", True, ""),
        "db1": (
            "restart",
            False,
            "policy prod: rule “others”: a person has to approve it",
        ),
    }
    assert len(stage.events) == entries
    assert stage.fixes == []


def test_what_is_harmless_would_be_done() -> None:
    """Nobody is asked about a fix that destroys nothing."""
    restart = ONE_FIX.steps["restart"]
    assert isinstance(restart, Fix)
    steps = {**ONE_FIX.steps, "restart": replace(restart, destructive=False)}
    harmless = replace(ONE_FIX, steps=steps)
    stage = Stage(runbook=harmless, hosts={"web1": host()}, mode=Mode.DIAGNOSE)
    stage.play()
    nobody = Person(says=lambda _: frozenset())

    [one] = would_have(harmless, stage.journal, stage.run, nobody)

    assert (one.does, one.reason, nobody.asked) == (True, "it is not destructive", [])
