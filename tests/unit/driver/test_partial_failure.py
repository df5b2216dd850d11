"""Fifty hosts of which some fail as hosts do: each comes to its own end, and its next step is named."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from runbook.executor.scripted import ScriptedFix, ScriptedHost
from runbook.model.definition import FixResult
from runbook.model.event import Acted, HostFinished, Mode
from runbook.model.observation import Verification
from runbook.model.verdict import Verdict
from runbook.views.summary import Finish, summary_text
from tests.engine_harness import seen
from tests.unit.driver.stage import FINE, ONE_FIX, Stage, host


def _looking(reason: str) -> ScriptedHost:
    return host({"up": [seen("unknown", reason=reason)]})


def _fixing(**how: object) -> ScriptedHost:
    return host(fixes={"restart": [ScriptedFix(**how)]})  # type: ignore[arg-type]


def _verified(result: FixResult, reason: str) -> ScriptedHost:
    return _fixing(verification=Verification(result=result, reason=reason))


KINDS: Mapping[str, tuple[int, ScriptedHost, Verdict, str, str]] = {
    "fine": (20, host({"up": [FINE]}), Verdict.HEALTHY, "", ""),
    "faulty": (8, host(), Verdict.RESOLVED, "", ""),
    "gone": (
        3, ScriptedHost(unreachable="No route to host"), Verdict.UNKNOWN,
        "No route to host", "try again with: runbook run",
    ),
    "slow": (
        3, _looking("it took longer than 60 s"), Verdict.UNKNOWN,
        "it took longer than 60 s", "try again with: runbook run",
    ),
    "pythonless": (
        2, _looking("no Python of 3.8 or later is there"), Verdict.UNKNOWN,
        "no Python", "try again with: runbook run",
    ),
    "healing": (
        2, _verified(FixResult.RESOLVED, "the connection was lost twice, and came back"),
        Verdict.RESOLVED, "", "",
    ),
    "flapping": (
        3, _verified(FixResult.RECURRED, "it was well for 4 s"), Verdict.UNRESOLVED,
        "", "escalate with: runbook report",
    ),
    "refusing": (
        3, _fixing(acted=Acted.FAILED, reason="sudo: a password is required"),
        Verdict.UNRESOLVED, "", "escalate with: runbook report",
    ),
    "full": (
        2, _fixing(acted=Acted.FAILED, reason="No space left on device"),
        Verdict.UNRESOLVED, "", "escalate with: runbook report",
    ),
    "rebooting": (
        1, _fixing(acted=Acted.UNKNOWN, verification=Verification(result=FixResult.UNKNOWN)),
        Verdict.UNKNOWN, "", "try again with: runbook run",
    ),
    "rebooted": (1, _fixing(acted=Acted.UNKNOWN), Verdict.RESOLVED, "", ""),
    "held": (
        2, _fixing(acted=Acted.WITHHELD, reason="another run holds this host"),
        Verdict.UNKNOWN, "", "try again with: runbook run",
    ),
}  # fmt: skip
"""How many hosts of each kind, what they do, their verdict, the reason told and the next step."""


@pytest.fixture(scope="module")
def stage() -> Stage:
    """All of them in one run, which is over."""
    hosts = {
        f"{kind}-{number}": scripted
        for kind, (many, scripted, *_) in KINDS.items()
        for number in range(many)
    }
    assert len(hosts) == 50
    stage = Stage(runbook=replace(ONE_FIX, evidence_max_age_s=1e12), hosts=hosts)
    stage.play()
    return stage


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_comes_to_its_own_end(stage: Stage, kind: str) -> None:
    """Whatever the others do: its verdict, the reason, and what a person does next about it."""
    many, _, verdict, reason, next_step = KINDS[kind]
    names = [f"{kind}-{number}" for number in range(many)]
    states = {name: stage.driver.states[name] for name in names} if stage.driver else {}
    told = summary_text(
        Finish(runbook=stage.runbook, run="r", mode=Mode.RUN, pattern="all", states=states)
    )
    ends = {
        event.host: event.reason or ""
        for event in stage.of(HostFinished)
        if isinstance(event, HostFinished)
    }

    assert {stage.verdicts[name] for name in names} == {verdict}
    assert all(reason in ends[name] for name in names)
    assert next_step in told
    assert ("  next" in told) is (verdict not in (Verdict.HEALTHY, Verdict.RESOLVED))


def test_a_fix_is_tried_once_on_each_host_that_needs_it(stage: Stage) -> None:
    """None is repeated for a host's sake, none is left out for another's; nobody healthy is touched."""
    fixed = [name for request in stage.fixes for name in request.hosts]
    wanted = [name for name in stage.hosts if "restart" in stage.hosts[name].fixes]
    looking = ("fine", "slow", "pythonless")
    assert sorted(fixed) == sorted(name for name in wanted if not name.startswith(looking))
