"""What triage says, to the letter, and as a document."""

from dataclasses import replace

from runbook.driver.triage import Candidate, triage
from runbook.executor.scripted import ScriptedExecutor, ScriptedHost
from runbook.model.definition import CheckResult, Runbook
from runbook.model.observation import Observation
from runbook.views.triage import WIDTH, Triage, choices, triage_document, triage_lines, verdict_of
from tests.engine_harness import ask, book, check, seen
from tests.unit.driver.test_triage import DISK, GOOD, SITE, host, named

REFUSED = Observation(
    result=CheckResult.FAILED,
    facts={"answered": False, "error": "refused"},
    expected="up.answered and up.status == 200",
)
STOPPED = Observation(
    result=CheckResult.FAILED,
    facts={"running": False, "state": "STOPPED"},
    expected="state.running",
)

LINES = """\
2 hosts: web1, web2: looked at once for 5 runbooks, in 2 s

1  site: About site
   on     web2
   says   502, bad gateway
   cause  It is stopped (in 40% of incidents)
   ✗ up is fine
     seen      not answered, error refused
     expected  up.answered and up.status == 200
   ✗ state is fine
     seen      not running, state STOPPED
     expected  state.running
   next   would do: Do restart
   run    runbook run site --host web2 -i hosts.yml

could not tell tls: no route to the host
lacks          disk: folder: it has no value (on web1); folder: it has no value
               at all (on web2)
nothing yet    by-hand would ask: Asks which
nothing wrong  names
not sound      broken: a step leads nowhere
"""


def found(**hosts: ScriptedHost) -> Triage:
    """Triage five runbooks on a script's hosts."""
    books: tuple[Runbook, ...] = (
        SITE,
        DISK,
        named("names", book(check("resolves"))),
        named("tls", book(check("served"))),
        named("by-hand", book(ask("which", {"a": "end:healthy"}))),
    )
    candidates = [
        Candidate(runbook=one, symptoms=("502", "bad gateway") if one is SITE else ())
        for one in books
    ]
    names, findings = triage(candidates, ScriptedExecutor(hosts=hosts), "all")
    return Triage(
        pattern="prod",
        symptom="502",
        hosts=names,
        findings=tuple(findings),
        unsound={"broken": "a step leads nowhere"},
        took_s=2.0,
        options=("-i", "hosts.yml"),
    )


def both() -> Triage:
    """Two hosts: the second is broken, and lacks a param in another way."""
    away = seen("unknown", reason="no route to the host")
    first = host({"disk/folder": "it has no value"}, tls__served=away)
    second = host(
        {"disk/folder": "it has no value at all"},
        tls__served=away,
        site__up=REFUSED,
        site__state=STOPPED,
    )
    return found(web1=first, web2=second)


def test_what_is_said() -> None:
    """The fitting runbook with its evidence, and all others by what keeps them, to the letter."""
    assert "\n".join(triage_lines(both())) + "\n" == LINES


def test_nothing_but_a_command_is_wider_than_the_screen() -> None:
    """However long titles, reasons and names are, lines stay within the width."""
    told = both()
    long = replace(SITE, title="words " * 40)
    findings = [
        replace(one, candidate=replace(one.candidate, runbook=replace(long, title="words " * 40)))
        if one.runbook is SITE
        else one
        for one in told.findings
    ]
    wide = replace(told, findings=tuple(findings), unsound={"broken": "reason " * 40})

    lines = list(triage_lines(wide, numbered=True))

    assert max(map(len, lines)) <= WIDTH


def test_where_they_are_chosen_by_number_no_command_is_shown() -> None:
    """The number is enough: those that fit stand in short above the question for it."""
    assert not any("runbook run" in line for line in triage_lines(both(), numbered=True))
    assert list(choices(both())) == ["  1  site on web2: It is stopped"]


def test_healthy_hosts_are_said_to_be() -> None:
    """Nothing wrong by any runbook: one line says so, and the exit code is 0."""
    told = found(web1=host(tls__served=GOOD))

    assert "No runbook found anything wrong." in list(triage_lines(told))
    assert verdict_of(told.findings) == 0


def test_exit_codes() -> None:
    """1 where something is wrong; 4 where nothing could be told by any runbook."""
    away = found(web1=ScriptedHost(unreachable="no route")).findings
    blind = [one for one in away if one.runbook.name != "by-hand"]

    assert verdict_of(both().findings) == 1
    assert verdict_of(blind) == 4


def test_the_document() -> None:
    """Programs get the same, with every check walked and the command to go on with."""
    document = triage_document(both())

    site = document["runbooks"][0]
    assert (site["name"], site["fit"], site["likelihood"]) == ("site", "cause", 0.4)
    assert site["command"] == "runbook run site --host web2 -i hosts.yml"
    broken = site["hosts"]["web2"]
    assert broken["causes"] == [{"id": "stopped", "title": "It is stopped", "likelihood": 0.4}]
    assert broken["checks"][0] == {
        "step": "up",
        "title": "up is fine",
        "result": "failed",
        "seen": "not answered, error refused",
        "expected": "up.answered and up.status == 200",
        "reason": None,
    }
    assert site["hosts"]["web1"]["fit"] == "healthy"
    disk = next(one for one in document["runbooks"] if one["name"] == "disk")
    assert disk["command"] is None
    assert disk["hosts"]["web1"]["lacking"] == [{"param": "folder", "message": "it has no value"}]
    assert document["unsound"] == {"broken": "a step leads nowhere"}


def test_a_title_cannot_steer_the_terminal() -> None:
    """What a runbook or a host says is printed escaped."""
    told = both()
    evil = replace(told, unsound={"broken": "\x1b[2J"})

    assert "\x1b" not in "\n".join(triage_lines(evil))
