"""Triage: one look for several runbooks, each walked over its own part of what was seen."""

from dataclasses import replace

import pytest

from runbook.driver.triage import Candidate, Finding, Fit, opening_of, together, triage
from runbook.errors import RunbookError
from runbook.executor.scripted import ScriptedExecutor, ScriptedHost
from runbook.model.definition import AnsibleTask, Cause, Param, Runbook, Scope
from runbook.model.observation import Observation
from tests.engine_harness import ask, book, branch, cases, check, collect, fix, seen, watch


def named(name: str, runbook: Runbook, **likelihoods: float) -> Runbook:
    """Give a runbook a name, and its causes likelihoods."""
    causes = {
        cause: Cause(id=cause, title=f"It is {cause}", likelihood=likelihoods.get(cause))
        for cause in runbook.causes
    }
    return replace(runbook, name=name, title=f"About {name}", causes=causes)


SITE = named(
    "site",
    book(
        check("up", failed="state"),
        check("state", failed="restart", passed="end:escalated"),
        fix("restart", symptom="up", cause="stopped"),
    ),
    stopped=0.4,
)
DISK = named("disk", book(check("room", failed="end:unresolved", cause="full")), full=0.9)
NAMES = named("names", book(check("resolves")))
BY_HAND = named("by-hand", book(ask("which", {"a": "end:healthy"})))
ALL = (SITE, DISK, NAMES, BY_HAND)

GOOD = seen("passed")
BAD = seen("failed", reason="it is not")


def host(problems: dict[str, str] | None = None, **looks: Observation) -> ScriptedHost:
    """Script a host; `site__up` is the step up of the runbook site, all else is well."""
    well = {"site/up": GOOD, "site/state": GOOD, "disk/room": GOOD, "names/resolves": GOOD}
    told = well | {step.replace("__", "/"): look for step, look in looks.items()}
    return ScriptedHost(
        looks={step: [look] for step, look in told.items()}, problems=problems or {}
    )


def found(*books: Runbook, **hosts: ScriptedHost) -> tuple[list[Finding], ScriptedExecutor]:
    """Triage all hosts of a script."""
    script = ScriptedExecutor(hosts=hosts)
    _, findings = triage([Candidate(runbook=one) for one in books or ALL], script, "all")
    return findings, script


def test_all_runbooks_are_looked_at_in_one_request() -> None:
    """Every opening check of every runbook is asked for once, and nothing else is."""
    _, script = found(web1=host(), web2=host())

    (request,) = script.requests
    assert getattr(request, "steps", ()) == (
        "site/up",
        "site/state",
        "disk/room",
        "names/resolves",
    )


def test_the_runbook_that_finds_a_cause_comes_first_with_its_hosts() -> None:
    """What is wrong on web2 alone is found there, with the fix it leads to; the rest is sorted."""
    findings, _ = found(web1=host(), web2=host(site__up=BAD, site__state=BAD))

    assert [(one.runbook.name, one.fit) for one in findings] == [
        ("site", Fit.CAUSE),
        ("by-hand", Fit.OPEN),
        ("disk", Fit.HEALTHY),
        ("names", Fit.HEALTHY),
    ]
    site = findings[0]
    assert (site.hosts, site.likelihood) == (("web2",), 0.4)
    assert site.fix is not None
    assert site.fix.id == "restart"


def test_a_runbook_with_a_fix_comes_before_a_likelier_one_without() -> None:
    """Of two that find a cause, the one that can do something about it is first."""
    broken = host(site__up=BAD, site__state=BAD, disk__room=BAD)

    findings, _ = found(web1=broken)

    assert [one.runbook.name for one in findings[:2]] == ["site", "disk"]


def test_a_failed_check_without_a_cause_is_a_fault() -> None:
    """The symptom is there and the walk ends: it fits, below those that name a cause."""
    findings, _ = found(web1=host(site__up=BAD, names__resolves=BAD, disk__room=BAD))

    assert [(one.runbook.name, one.fit) for one in findings[:3]] == [
        ("disk", Fit.CAUSE),
        ("names", Fit.FAULT),
        ("site", Fit.FAULT),
    ]


def test_what_could_not_be_seen_is_unknown() -> None:
    """A host that cannot be reached is neither well nor faulty by any runbook."""
    findings, _ = found(SITE, DISK, web1=ScriptedHost(unreachable="no route"))

    assert {one.fit for one in findings} == {Fit.UNKNOWN}


def test_a_runbook_that_lacks_a_param_does_not_spoil_the_others() -> None:
    """It is named with what is missing on which host; the others are walked."""
    lacking = host({"disk/folder": "it has no value"}, site__up=BAD, site__state=BAD)

    findings, _ = found(web1=lacking)

    disk = next(one for one in findings if one.runbook.name == "disk")
    assert disk.fit is Fit.LACKING
    (problem,) = disk.openings["web1"].lacking
    assert (problem.host, problem.param) == ("web1", "folder")
    assert findings[0].fit is Fit.CAUSE


def test_a_pattern_that_names_nobody_is_an_error() -> None:
    """An empty target set is never taken for all hosts."""
    with pytest.raises(RunbookError) as caught:
        triage([Candidate(runbook=SITE)], ScriptedExecutor(hosts={}), "nobody")

    assert caught.value.problems[0].reference == "no-hosts"


def test_the_opening_ends_where_something_is_done_or_asked() -> None:
    """Checks behind a question, lazy ones and Ansible's tasks are not looked at; bundles are passed."""
    task = AnsibleTask(body={"ansible.builtin.command": "true"})
    runbook = book(
        check("first", failed="file", passed="choose"),
        replace(check("file", failed="behind_file", passed="choose"), look=task),
        check("behind_file", failed="choose"),
        branch("choose", ["question"], "lazy", needs=["first"]),
        check("lazy", lazy=True, failed="question"),
        ask("question", {"a": "behind"}),
        check("behind"),
    )

    assert opening_of(runbook) == ("first", "behind_file", "choose")
    assert opening_of(book(watch("calm", "up"), check("up"))) == ()
    assert opening_of(book(check("up", failed="all"), collect("all", "why"), check("why"))) == (
        "up",
        "why",
    )
    assert opening_of(book(collect("all", "up"), check("up"))) == ("up",)
    assert opening_of(book(collect("all", "end:escalated"))) == ()
    assert opening_of(book(replace(check("file"), look=task))) == ()


def test_further_says_what_the_walk_waits_for() -> None:
    """A walk that one look does not finish names the step it stands at."""
    runbook = named("slow", book(check("up", failed="lazy"), check("lazy", lazy=True)))

    findings, _ = found(runbook, web1=ScriptedHost(looks={"slow/up": [BAD]}))

    assert findings[0].openings["web1"].further == "look further: lazy is fine"


def test_a_branch_over_what_was_seen_is_walked() -> None:
    """Conditions are judged in the same look, each in its own runbook's part."""
    runbook = named(
        "kind",
        book(check("up", failed="why"), branch("why", ["end:unresolved:slow"], "end:unknown")),
    )
    runbook = replace(runbook, causes={"slow": Cause(id="slow", title="It is slow")})

    findings, _ = found(
        runbook, web1=ScriptedHost(looks={"kind/up": [BAD], "kind/why": [cases("true")]})
    )

    assert [cause.id for cause in findings[0].causes] == ["slow"]


def test_together_keeps_every_runbooks_names_apart() -> None:
    """Steps, scopes and needs carry their runbook's name; its params are the host's own."""
    param = Param(name="port", schema={"type": "integer"}, default=80, required=False)
    called = replace(check("inner/up", needs=["first"]), scope="inner")
    one = replace(
        named("one", book(check("first"), called)),
        params={"port": param},
        scopes={"inner": Scope(prefix="inner", runbook="other", parent="", params={})},
    )

    joined = together([one, SITE])

    assert joined.steps["one/inner/up"].scope == "one/inner"
    assert joined.steps["one/inner/up"].needs == ("one/first",)
    assert joined.scopes["one"].inherits
    assert joined.scopes["one"].params == {"port": param}
    assert joined.scopes["one/inner"].parent == "one"
    assert not joined.scopes["one/inner"].inherits
    assert {"site/up", "site/restart"} <= joined.steps.keys()
