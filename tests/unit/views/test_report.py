"""Reports of runs, from their entries alone."""

import json
import unicodedata
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.journal import Entry, RunSummary
from runbook.model.definition import CheckResult, End, FixResult, Goto
from runbook.model.event import (
    Acted,
    Answered,
    Event,
    EvidenceExpired,
    FixConcluded,
    FixEnded,
    FixIntended,
    FixVerified,
    HostFinished,
    HostJoined,
    Observed,
    RunFinished,
    StepConcluded,
)
from runbook.model.observation import Observation, TaskChange, Texts, Verification
from runbook.model.verdict import Verdict
from runbook.views.report import report_markdown, report_text
from runbook.views.report_document import run_document
from runbook.views.report_html import report_html
from tests.event_strategies import events, unhurried
from tests.unit.views.report_scenes import (
    ANSWERED,
    BAD_GATEWAY,
    HOSTILE,
    IMPORTS,
    RUNNING,
    START,
    STARTED,
    checklist,
    concluded,
    incident,
    observed,
    resumed,
    stopped,
    written,
)

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "golden" / "report"
SCENES = {"incident": incident, "stopped": stopped, "resumed": resumed, "checklist": checklist}
Run = tuple[RunSummary, list[Entry]]


def drawn(run: Run, suffix: str) -> str:
    """Return a run's report as the golden file with this suffix has it."""
    match suffix:
        case "txt":
            return report_text(*run, zone=UTC)
        case "md":
            return report_markdown(*run, zone=UTC)
        case "html":
            return report_html(*run, zone=UTC)
        case _:
            return json.dumps(run_document(*run), indent=2)


def finished(host: str, verdict: Verdict) -> Event:
    """Return the end of a host's walk."""
    return HostFinished(host=host, verdict=verdict)


@pytest.mark.parametrize("suffix", ["txt", "md", "html", "json"])
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_reports_read_as_written_down(scene: Callable[[], Run], suffix: str) -> None:
    """Each scene's report is the golden file, as text, Markdown, page and JSON."""
    golden = (GOLDEN / f"{scene.__name__}.{suffix}").read_text(encoding="utf-8")

    assert drawn(scene(), suffix) + "\n" == golden


def test_document_has_the_promised_shape() -> None:
    """The keys that other programs rely on are exactly those, with a reason beside."""
    document = run_document(*incident())

    assert set(document) == {
        "run_id",
        "runbook",
        "verdict",
        "started_at",
        "duration_s",
        "hosts",
        "told",
    }
    for host in document["hosts"].values():
        assert set(host) == {
            "verdict",
            "reason",
            "causes",
            "also_here",
            "path",
            "steps",
            "fixes",
        }
        assert [step["step"] for step in host["steps"]] == host["path"]
        for step in host["steps"]:
            assert set(step) == {
                "step", "title", "result", "seen", "expected", "reason", "evidence",
            }  # fmt: skip
        assert all(set(cause) == {"id", "title", "evidence"} for cause in host["causes"])
        assert all(set(fix) == {"step", "outcome", "verified"} for fix in host["fixes"])


def test_what_was_only_looked_at_ahead_is_no_finding() -> None:
    """A failed look off the path taken appears in no report."""
    ahead = Observation(result=CheckResult.FAILED, facts={"lines": "SPECULATIVE"})
    walk: list[Event] = [
        STARTED,
        HostJoined(host="web1"),
        observed("web1", site=ANSWERED, nginx_log=ahead),
        concluded("web1", "site", ANSWERED, End(verdict=Verdict.UNRESOLVED)),
    ]

    for suffix in ("txt", "md", "json"):
        report = drawn(written([(0, "anna", walk)]), suffix)
        assert "site" in report
        assert "SPECULATIVE" not in report
        assert "nginx_log" not in report


def test_document_is_strict_json() -> None:
    """NaN among the facts of a cause does not make a document that others cannot read."""
    odd = Observation(
        result=CheckResult.FAILED, facts={"load": [float("nan")], "x": {"y": float("inf")}}
    )
    run = written(
        [(0, "anna", [STARTED, concluded("web1", "load", odd, Goto(step="a"), cause="busy")])]
    )

    document = run_document(*run)

    json.dumps(document, allow_nan=False)
    assert document["hosts"]["web1"]["causes"][0]["evidence"]["facts"] == {
        "load": ["nan"],
        "x": {"y": "inf"},
    }


def test_a_cause_without_a_title_has_its_id() -> None:
    """A journal that names no titles, as one of a rehearsal, still gives a report."""
    run = written([(0, "anna", [concluded("web1", "a", BAD_GATEWAY, Goto(step="b"), cause="odd")])])

    assert run_document(*run)["hosts"]["web1"]["causes"][0]["title"] == "odd"
    assert "- odd" in report_text(*run, zone=UTC)


def test_a_cause_found_again_is_told_once() -> None:
    """A fault that came back in a later epoch is one cause, with its first evidence."""
    again = Observation(result=CheckResult.FAILED, facts={"status": 503})
    run = written([
        (0, "anna", [
            concluded("web1", "site", BAD_GATEWAY, Goto(step="a"), cause="stopped"),
            concluded("web1", "site", again, End(verdict=Verdict.UNRESOLVED, cause="stopped")),
        ])
    ])  # fmt: skip

    (cause,) = run_document(*run)["hosts"]["web1"]["causes"]
    assert cause["evidence"]["facts"]["status"] == 502


@pytest.mark.parametrize(
    ("looked", "concluded_as", "verified"),
    [
        (FixResult.RESOLVED, FixResult.RESOLVED, True),
        (FixResult.NO_EFFECT, FixResult.NO_EFFECT, True),
        (FixResult.UNKNOWN, FixResult.UNKNOWN, False),
        (FixResult.NO_EFFECT, FixResult.UNKNOWN, False),
        (None, FixResult.FAILED, False),
    ],
)
def test_verified_means_seen_by_looking_again(
    looked: FixResult | None, concluded_as: FixResult, verified: bool
) -> None:
    """An outcome is verified only where a look after the fix showed that very outcome."""
    look = [] if looked is None else [
        FixVerified(host="web1", step="restart", verification=Verification(result=looked))
    ]  # fmt: skip
    walk: list[Event] = [
        FixIntended(host="web1", step="restart", attempt=1, invocation="i1"),
        FixEnded(host="web1", step="restart", acted=Acted.CHANGED),
        *look,
        FixConcluded(
            host="web1", step="restart", result=concluded_as, next=End(verdict=Verdict.UNRESOLVED)
        ),
    ]

    fixes = run_document(*written([(0, "anna", walk)]))["hosts"]["web1"]["fixes"]

    assert fixes == [{"step": "restart", "outcome": concluded_as.value, "verified": verified}]


def test_a_declined_fix_is_on_the_path_and_no_fix() -> None:
    """What was not done is not counted among the fixes."""
    host = run_document(*stopped())["hosts"]["web1"]

    assert host["path"] == ["site", "which", "repair"]
    assert [fix["step"] for fix in host["fixes"]] == ["restart"]


def test_a_run_that_never_began_has_a_report() -> None:
    """A run without entries, as after a crash at its very start, is reported as that."""
    run = written([])

    assert run_document(*run)["verdict"] == "unknown"
    assert run_document(*run)["duration_s"] == 0.0
    assert "the run has not ended" in report_text(*run, zone=UTC)
    report_markdown(*run, zone=UTC)


def test_a_clock_set_back_gives_no_negative_duration() -> None:
    """However the clock jumped, a run took no less than nothing."""
    run = written([(-3600, "anna", [STARTED, RunFinished(verdict=Verdict.HEALTHY)])])

    assert run_document(*run)["duration_s"] == 0.0
    assert "took      0.0 s" in report_text(*run, zone=UTC)


def test_a_time_that_no_calendar_has_is_no_obstacle() -> None:
    """A host's clock may say anything; the report is written all the same."""
    odd = Observation(result=CheckResult.FAILED, seen_at=1e300)
    run = written([(1e200, "anna", [concluded("web1", "a", odd, Goto(step="b"), cause="c")])])

    evidence = run_document(*run)["hosts"]["web1"]["causes"][0]["evidence"]
    assert evidence["seen_at"] is None
    report_text(*run, zone=UTC)


def test_large_runs_are_counted_rather_than_listed() -> None:
    """With many hosts the head of the report has numbers, and healthy hosts take a line each."""
    walk = [
        event
        for number in range(50)
        for event in (
            concluded(f"web{number}", "site", ANSWERED, End(verdict=Verdict.HEALTHY)),
            finished(f"web{number}", Verdict.HEALTHY if number else Verdict.ESCALATED),
        )
    ]
    text = report_text(*written([(0, "anna", walk)]), zone=UTC)

    assert "50: 49 healthy, 1 escalated" in text
    assert len(text.splitlines()) < 80


def test_a_long_diff_is_cut_and_says_so() -> None:
    """A change of a thousand lines does not bury the rest of the report."""
    diff = "".join(f"+line {number}\n" for number in range(1000))
    run = written([
        (0, "anna", [
            FixIntended(host="web1", step="restart", attempt=1, invocation="i1"),
            FixEnded(host="web1", step="restart", acted=Acted.CHANGED,
                     changes=(TaskChange(name="a", status="changed", diff=diff),)),
        ])
    ])  # fmt: skip

    text = report_text(*run, zone=UTC)

    assert "+line 199\n" in text
    assert "+line 200" not in text
    assert "800 lines more in the journal" in text


@unhurried
@given(st.lists(events, max_size=12), st.sampled_from(["txt", "md", "json"]))
def test_any_entries_give_a_report_that_steers_no_terminal(walk: list[Event], suffix: str) -> None:
    """Whatever happened, in whatever order, there is a report of it, with printable text only."""
    drawing = drawn(written([(0, "anna", walk)]), suffix)

    unsafe = [char for char in drawing if unicodedata.category(char) in {"Cc", "Cs"}]
    assert set(unsafe) <= {"\n"}
    assert not set(drawing) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028")


@pytest.mark.parametrize("suffix", ["txt", "md"])
def test_a_host_cannot_write_lines_of_the_report(suffix: str) -> None:
    """Text of a host that looks like a verdict never starts a line."""
    lines = drawn(incident(), suffix).splitlines()

    assert HOSTILE.splitlines()[1].strip()[:16] == "verdict: healthy"
    assert [line for line in lines if line.lstrip("- #").startswith("verdict: healthy")] == []


def test_a_host_cannot_write_markdown() -> None:
    """Markup in what a host printed stays inside code spans and fences."""
    markdown = report_markdown(*incident(), zone=UTC)

    outside = []
    fenced = False
    for line in markdown.splitlines():
        if line.lstrip().startswith("```") and not line.lstrip().startswith("```I"):
            fenced = not fenced
        elif not fenced:
            outside.append(line)
    spans = "\n".join(outside)
    assert "<b>" in spans
    for line in outside:
        for part in line.split("```")[::2]:
            assert "<b>" not in part


def test_steps_before_titles_were_known_go_by_their_ids() -> None:
    """A step of which no text was rendered is named by its id."""
    run = written([(0, "anna", [concluded("web1", "site", ANSWERED, Goto(step="x"))])])

    assert "- site: passed" in report_text(*run, zone=UTC)


def test_a_title_is_as_rendered_else_as_written() -> None:
    """A title without a template is never rendered, so it is the one the run began with."""
    run = written([
        (0, "anna", [
            STARTED,
            concluded("web1", "site", ANSWERED, Goto(step="restart")),
            Observed(host="web1", observations={}, texts={"restart": Texts(title="Restart api")}),
            FixIntended(host="web1", step="restart", attempt=1, invocation="i1"),
            FixIntended(host="web2", step="restart", attempt=1, invocation="i2"),
        ])
    ])  # fmt: skip

    text = report_text(*run, zone=UTC)

    assert "- The site answers through nginx (site): passed" in text
    assert "- Restart api (restart), attempt 1" in text
    assert "- Restart {{ backend_service }} (restart), attempt 1" in text


def test_times_are_in_the_zone_asked_for() -> None:
    """The head of the report and the timeline show when it was."""
    text = report_text(*incident(), zone=UTC)

    assert START == 1771125120.0
    assert "2026-02-15 03:12:00 UTC" in text
    assert "2026-02-15 03:12:01.500 web1 joined" in text


def test_a_cause_found_by_a_branch_rests_on_the_last_failed_check() -> None:
    """Which cases held says nothing of the host; the check that failed in this epoch does."""
    cases = Observation(result=CheckResult.PASSED, facts={"cases": ["false", "true"]})
    end = End(verdict=Verdict.ESCALATED, cause="backend_stopped")

    def branch(host: str) -> Event:
        return StepConcluded(host=host, step="which", result="case 2", next=end, evidence=cases)

    run = written([
        (0, "anna", [
            STARTED,
            concluded("web1", "imports", IMPORTS, Goto(step="site")),
            EvidenceExpired(host="web1", step="restart", age_s=99.0),
            concluded("web1", "site", BAD_GATEWAY, Goto(step="backend_state")),
            concluded("web1", "backend_state", RUNNING, Goto(step="which")),
            branch("web1"),
            concluded("web2", "site", BAD_GATEWAY, Goto(step="restart")),
            FixIntended(host="web2", step="restart", attempt=1, invocation="i1"),
            FixConcluded(host="web2", step="restart", result=FixResult.NO_EFFECT,
                         next=Goto(step="which")),
            branch("web2"),
        ])
    ])  # fmt: skip

    hosts = run_document(*run)["hosts"]

    (cause,) = hosts["web1"]["causes"]
    assert cause["evidence"]["step"] == "site"
    assert cause["evidence"]["facts"]["status"] == 502
    assert [cause["evidence"] for cause in hosts["web2"]["causes"]] == [None]
    assert "cases" not in report_text(*run, zone=UTC)
    assert "found by What is to be done? (which)" in report_text(*run, zone=UTC)


@pytest.mark.parametrize("suffix", ["txt", "md"])
def test_a_bundle_can_be_read_and_is_bounded(suffix: str) -> None:
    """Each answer is shown under its probe's name: first and last lines, each cut, none forged."""
    lines = drawn(checklist(), suffix).splitlines()

    bare = [line.strip() for line in lines]
    assert "one: 0.25" in bare
    assert "path: /var/log/api.log" in bare
    assert "line 98" in bare
    assert "line 50" not in bare
    assert "… 61 lines left out, see report --json …" in bare
    assert any("could not look" in line and "needs root" in line for line in lines)
    assert len(lines) < 130
    (forged,) = [line for line in lines if line.lstrip().startswith("verdict: unresolved")]
    (above,) = [line for line in lines if line.lstrip().startswith("content:")]
    assert len(forged) - len(forged.lstrip()) == len(above) - len(above.lstrip()) + 2


def test_the_document_has_the_evidence_of_a_checklist() -> None:
    """Beside the ids of the path stand title, result, what was seen and expected, and all facts."""
    (host,) = run_document(*checklist())["hosts"].values()

    steps = {step["step"]: step for step in host["steps"]}
    assert list(steps) == host["path"]
    assert steps["backup"]["title"] == "The backup is fresh"
    assert steps["backup"]["result"] == "failed"
    assert steps["backup"]["seen"] == "age days 41"
    assert steps["backup"]["expected"] == "backup.age_days < 2"
    assert steps["tls"]["reason"] == "no openssl"
    assert len(steps["evidence"]["evidence"]["facts"]["log"]["lines"]) == 101
    assert steps["by_hand"]["title"] == "by_hand"
    assert steps["by_hand"]["evidence"] is None
    assert steps["which"]["seen"] is None


def test_a_healthy_host_is_told_of_unless_one_look_was_all() -> None:
    """A checklist or a bundle is read for what it saw, so it is no mere count of steps."""
    bundle = Observation(result=CheckResult.PASSED, facts={"load": {"one": 0.25}})
    end = End(verdict=Verdict.HEALTHY)
    walk: list[Event] = [
        STARTED,
        concluded("web1", "site", ANSWERED, end),
        concluded("web2", "site", ANSWERED, Goto(step="backend_state")),
        concluded("web2", "backend_state", RUNNING, end),
        concluded("web3", "evidence", bundle, end),
    ]
    ends = [finished(f"web{number}", Verdict.HEALTHY) for number in (1, 2, 3)]

    lines = report_text(*written([(0, "anna", [*walk, *ends])]), zone=UTC).splitlines()

    assert "    - web1: 1 step passed" in lines
    assert "web2: healthy" in lines
    assert "      - seen: state RUNNING" in lines
    assert "web3: healthy" in lines
    assert "          one: 0.25" in lines


def test_a_choice_by_the_name_of_a_result_is_no_tick() -> None:
    """What a person chose is neither done nor open, whatever the choice is called."""
    run = written([
        (0, "anna", [
            Answered(host="web1", step="which", answer="failed", by="anna"),
            StepConcluded(host="web1", step="which", result="failed", next=Goto(step="x")),
            Answered(host="web1", step="by_hand", answer="not_done", by="anna"),
            StepConcluded(host="web1", step="by_hand", result="not_done", next=Goto(step="x")),
        ])
    ])  # fmt: skip

    lines = report_markdown(*run, zone=UTC).splitlines()

    assert "- `which`: failed" in lines
    assert "- [ ] `by_hand`: not\\_done" in lines


def test_a_branch_says_which_case_was_taken() -> None:
    """The result of a branch is its case, not one of passed or failed."""
    seen = Observation(result=CheckResult.PASSED, facts={"cases": ["false", "true"]})
    step = StepConcluded(
        host="web1", step="which", result="case 2", next=Goto(step="x"), evidence=seen
    )

    assert "- which: case 2" in report_text(*written([(0, "anna", [step])]), zone=UTC)


@pytest.mark.parametrize("width", [40, 80])
def test_text_is_folded_for_a_terminal(width: int) -> None:
    """No line of a report is wider than the terminal, and every letter of it is there."""
    for scene in SCENES.values():
        whole = report_text(*scene(), zone=UTC)
        folded = report_text(*scene(), zone=UTC, width=width)

        assert max(map(len, folded.splitlines())) <= width
        assert "".join(folded.split()) == "".join(whole.split())


def test_the_head_says_what_was_found_and_done() -> None:
    """Each cause and each fix's outcome is named once, with its hosts; of very many the first."""
    found = [(f"web{number}", "full") for number in range(4)]
    found += [("web9", f"c{number}") for number in range(9)]
    walk: list[Event] = [
        concluded(host, "a", BAD_GATEWAY, Goto(step="b"), cause=cause) for host, cause in found
    ]
    run = written([(0, "anna", [STARTED, *walk])])
    lines = report_text(*run, zone=UTC).splitlines()

    (causes,) = (line for line in lines if line.startswith("  causes "))
    assert "full (4 hosts: web0, web1, web2 and 1 more); c0 (web9)" in causes
    assert causes.endswith("c6 (web9); and 2 more")
    assert not [line for line in lines if line.startswith("  fixes ")]


def test_what_a_person_was_told_to_do_by_hand_is_in_the_report() -> None:
    """Instruction and commands as rendered for the host, below who answered; none for others."""
    told = Texts(title="By hand", instruction="Log in to web1,\nand look.", commands=("ssh web1",))
    done = StepConcluded(
        host="web1", step="hand", result="done", next=End(verdict=Verdict.ESCALATED)
    )
    run = written([
        (0, "anna", [
            STARTED,
            Observed(host="web1", observations={}, texts={"hand": told}),
            Answered(host="web1", step="hand", answer="done", by="anna"),
            done,
        ])
    ])  # fmt: skip

    text = report_text(*run, zone=UTC)

    lines = [line.strip() for line in text.splitlines()]
    place = lines.index("- answered by anna")
    assert lines[place + 1 : place + 3] == [
        "- told to: Log in to web1, and look.",
        "- with: ssh web1",
    ]
