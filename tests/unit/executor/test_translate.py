"""From records to reports: every record's meaning, and no record that does harm."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook.executor import (
    Ending,
    FixRequest,
    HostActed,
    HostObserved,
    HostPreviewed,
    HostsResolved,
    HostVerified,
    InvocationEnded,
    ObserveRequest,
    PreviewRequest,
    Progress,
    Report,
    Request,
    UndoRequest,
    VerifyRequest,
    WatchRequest,
)
from runbook.executor.plan import Sampling
from runbook.executor.readings import watched_from
from runbook.executor.translate import Translator
from runbook.model.definition import CheckResult, FixResult
from runbook.model.event import Acted
from tests.executor_harness import Told, hold_to_promises

HOSTS = ("a", "b")
SAMPLING = Sampling(
    steps=("cause", "symptom"),
    cause="cause",
    symptom="symptom",
    within_s=1.0,
    hold_s=0.0,
    every_s=1.0,
)
FIX = FixRequest(id="i", fix="mend", hosts=HOSTS)
UNDO = UndoRequest(id="i", fix="mend", hosts=HOSTS)
PREVIEW = PreviewRequest(id="i", fix="mend", hosts=HOSTS)
VERIFY = VerifyRequest(id="i", fix="mend", hosts=HOSTS)
WATCH = WatchRequest(id="i", step="steady", hosts=HOSTS)
WANTS = ObserveRequest(id="i", pattern="a:b", wants={"a": ("one", "two"), "b": ("one",)})
JOIN = ObserveRequest(id="i", pattern="all", joining=True, steps=("one",))
REQUESTS: Sequence[Request] = (FIX, UNDO, PREVIEW, VERIFY, WATCH, WANTS, JOIN)

Record = Mapping[str, Any]


def ours(task: str, host: str = "a") -> Record:
    """Return the record of a task of ours that went well."""
    return {"kind": "ours", "host": host, "task": f"runbook_{task}"}


def task(status: str, host: str = "a", **more: Any) -> Record:
    """Return the record of a task's result."""
    record = {"kind": "task", "host": host, "task": "Restart", "ours": False, "check": False}
    return {**record, "status": status, "message": "words", "diff": "", **more}


def trouble(action: str, status: str, host: str = "a") -> Record:
    """Return the record of a task of ours that went wrong."""
    return task(status, host, task=f"runbook_{action}", ours=True)


def sampled(*rounds: tuple[str, str], host: str = "a") -> Record:
    """Return the record of a verification: results of cause and symptom, round by round."""
    return {
        "kind": "observed",
        "host": host,
        "observations": {"symptom": {"result": rounds[-1][1], "facts": {}, "seen_at": 7.0}},
        "texts": {},
        "rounds": [
            {"at_s": number, "holding": False, "results": {"cause": cause, "symptom": symptom}}
            for number, (cause, symptom) in enumerate(rounds)
        ],
    }


def told(
    request: Request, *records: Record, ending: Ending = Ending.COMPLETED, reason: str | None = None
) -> Told:
    """Translate records to the end, and hold what comes of them to the promises."""
    translator = Translator(request=request, sampling=SAMPLING)
    reports: list[Report] = [report for record in records for report in translator.feed(record)]
    reports += translator.finish(ending, reason)
    reports.append(InvocationEnded(request=request.id, ending=ending, reason=reason))
    result = Told(request=request, reports=reports)
    hold_to_promises(result)
    return result


BEGUN = ours("begin")
ACTED = ours("acted")
ENDED = ours("end")


@pytest.mark.parametrize(
    ("records", "acted", "reason"),
    [
        ([BEGUN, task("changed"), ACTED, sampled(("passed", "passed"))], Acted.CHANGED, None),
        ([BEGUN, task("ok"), ACTED, sampled(("passed", "passed"))], Acted.UNCHANGED, None),
        ([BEGUN, task("failed"), ACTED, sampled(("passed", "passed"))], Acted.UNCHANGED, None),
        ([BEGUN, task("ignored"), task("changed"), ACTED], Acted.CHANGED, None),
        ([BEGUN, task("changed"), task("failed"), ENDED], Acted.FAILED, "Restart"),
        ([BEGUN, ENDED], Acted.FAILED, "did not come to its end"),
        ([BEGUN, task("unreachable")], Acted.UNKNOWN, "unreachable: words"),
        ([BEGUN, task("changed")], Acted.UNKNOWN, "no result came back"),
        ([trouble("begin", "failed")], Acted.WITHHELD, "words"),
        ([trouble("begin", "unreachable")], Acted.WITHHELD, "unreachable: words"),
        ([BEGUN, trouble("begin", "failed"), ENDED], Acted.WITHHELD, "words"),
        ([task("unreachable", task="Gathering Facts")], Acted.WITHHELD, "unreachable"),
        ([], Acted.WITHHELD, "no result came back"),
    ],
)
def test_an_action_is_what_our_own_tasks_say_of_it(
    records: Sequence[Record], acted: Acted, reason: str | None
) -> None:
    """Only `runbook_acted` proves that an action came to its end; without a begin it was none."""
    report = told(FIX, *records).acted("a")

    assert report.acted is acted
    assert (reason or "") in (report.reason or "")
    assert (report.reason is None) is (reason is None)


@pytest.mark.parametrize(
    ("ending", "reason", "words"),
    [
        (Ending.TIMED_OUT, "more than 60 s", "it took too long: more than 60 s"),
        (Ending.CANCELLED, None, "it was stopped"),
        (Ending.BROKEN, "no vault password", "Ansible broke off: no vault password"),
        (Ending.COMPLETED, None, "no result came back from Ansible"),
    ],
)
@pytest.mark.parametrize("request_", REQUESTS, ids=lambda each: type(each).__name__)
def test_how_it_ended_is_the_reason_of_every_host_without_a_result(
    request_: Request, ending: Ending, reason: str | None, words: str
) -> None:
    """Whatever was asked, each host's report says why nothing is known."""
    first = {"kind": "hosts", "hosts": list(HOSTS), "params": {}, "problems": []}
    reports = told(request_, first, ending=ending, reason=reason).reports

    for host in HOSTS:
        texts = [repr(report) for report in reports if getattr(report, "host", None) == host]
        assert any(words in text for text in texts), host


@pytest.mark.parametrize(
    ("rounds", "result"),
    [
        ([("failed", "failed"), ("passed", "passed")], FixResult.RESOLVED),
        ([("passed", "failed")], FixResult.CAUSE_REMOVED),
        ([("failed", "failed")], FixResult.NO_EFFECT),
        ([("passed", "passed"), ("passed", "failed")], FixResult.RECURRED),
        ([("unknown", "unknown")], FixResult.UNKNOWN),
        ([("perhaps", "passed")], FixResult.UNKNOWN),
    ],
)
@pytest.mark.parametrize("request_", [FIX, VERIFY], ids=["fix", "verify"])
def test_rounds_are_judged(
    request_: Request, rounds: Sequence[tuple[str, str]], result: FixResult
) -> None:
    """The rounds' results make the verification; the telling looks come with it."""
    verification = told(request_, BEGUN, ACTED, sampled(*rounds)).verified("a").verification

    assert verification.result is result
    assert verification.observations["symptom"].seen_at == 7.0
    assert verification.took_s == len(rounds) - 1


@pytest.mark.parametrize(
    ("symptoms", "result", "passed"),
    [
        (["passed", "passed"], CheckResult.PASSED, 2),
        (["passed", "unknown"], CheckResult.UNKNOWN, 1),
        (["unknown", "failed", "passed"], CheckResult.FAILED, 1),
    ],
)
def test_a_watch_is_as_good_as_its_worst_look(
    symptoms: Sequence[str], result: CheckResult, passed: int
) -> None:
    """One failed look fails it; one that could not look leaves it unknown."""
    record = sampled(*(("passed", symptom) for symptom in symptoms))

    seen = told(WATCH, record).seen("a", "steady")

    assert seen.result is result
    assert (seen.facts["samples"], seen.facts["passed"]) == (len(symptoms), passed)


def test_a_watch_without_a_look_is_unknown() -> None:
    """No sample at all is no success."""
    record = {"kind": "observed", "host": "a", "observations": {}, "texts": {}, "rounds": []}

    assert told(WATCH, record).result("a", "steady") is CheckResult.UNKNOWN


def test_what_was_not_wanted_is_left_out_and_what_is_missing_is_unknown() -> None:
    """A host's report holds exactly the steps it was asked for."""
    fine = {"result": "passed", "facts": {"n": 1}, "seen_at": 3, "took_s": 0.5, "expected": "n"}
    record = {
        "kind": "observed",
        "host": "a",
        "observations": {"one": fine, "other": fine},
        "texts": {"one": {"title": "One \x1b[1m", "impact": 7}},
    }

    result = told(WANTS, record)

    assert set(result.observed("a").observations) == {"one", "two"}
    assert result.seen("a", "one").facts == {"n": 1}
    assert result.result("a", "two") is CheckResult.UNKNOWN
    assert result.observed("a").texts["one"].title == "One \\x1b[1m"
    assert result.observed("a").texts["one"].impact == ""


def test_hosts_come_first_with_their_params() -> None:
    """A second list of hosts, or one where none was asked for, means nothing."""
    first = {
        "kind": "hosts",
        "hosts": ["a", "a", "b"],
        "params": {"a": {"port": 1}},
        "problems": [
            {"host": "b", "param": "port", "message": "it has no value"},
            {"host": "z", "param": "port", "message": "it has no value"},
        ],
    }

    result = told(JOIN, first, {**first, "hosts": ["c"]})

    assert result.resolved.hosts == ("a", "b")
    assert result.resolved.params == {"a": {"port": 1}, "b": {}}
    assert [problem.host for problem in result.resolved.problems] == ["b"]
    assert not [item for item in told(WANTS, first).reports if isinstance(item, HostsResolved)]


def test_a_preview_lists_every_task() -> None:
    """Skipped tasks are among them; without the mark of its end a preview has failed."""
    records = [
        BEGUN,
        task("changed", diff="+x\x07"),
        task("skipped", message="skipped, running in check mode"),
        ACTED,
    ]

    whole = told(PREVIEW, *records)
    broken = told(PREVIEW, *records[:-1], task("failed"))

    assert [change.status for change in whole.previewed("a").changes] == ["changed", "skipped"]
    assert whole.previewed("a").changes[0].diff == "+x\\x07"
    assert "check mode" in whole.previewed("a").changes[1].message
    assert whole.previewed("a").failed is None
    assert "Restart" in (broken.previewed("a").failed or "")
    assert "no result" in (whole.previewed("b").failed or "")


def test_checks_among_the_tasks_are_no_changes() -> None:
    """What verifies a fix is not part of what it did, and neither is what comes after it."""
    result = told(FIX, BEGUN, task("changed", check=True), ACTED, task("changed"))

    assert result.acted("a").acted is Acted.UNCHANGED
    assert result.acted("a").changes == ()


def test_an_undo_is_over_with_its_action() -> None:
    """Nothing is verified after it."""
    result = told(UNDO, BEGUN, task("changed"), ACTED, sampled(("passed", "passed")))

    assert result.acted("a").acted is Acted.CHANGED


def test_progress_is_words_for_the_eye() -> None:
    """The task's name cannot move the cursor."""
    record = {"kind": "began", "host": "a", "task": "\x1b[2Jgone\u202e"}

    (progress,) = [item for item in told(FIX, record).reports if isinstance(item, Progress)]

    assert progress.text == "\\x1b[2Jgone\\u202e"


def test_a_prediction_tells_of_no_task_as_if_it_were_done() -> None:
    """Nobody who is yet to be asked reads that a process is being ended."""
    record = {"kind": "began", "host": "a", "task": "End the process"}

    assert not [item for item in told(PREVIEW, record).reports if isinstance(item, Progress)]


def test_how_far_a_watch_has_come_is_words_for_the_eye() -> None:
    """It is told on the way, and is no result."""
    request = WatchRequest(id="i", step="calm", hosts=("a",))
    sampling = replace(SAMPLING, cause=None, symptom="one")
    translator = Translator(request=request, sampling=sampling)

    reports = translator.feed({"kind": "sampled", "host": "a", "text": "10 of 60 s\x1b[2J"})

    assert reports == [Progress(request="i", host="a", text="10 of 60 s\\x1b[2J")]
    assert translator.feed({"kind": "sampled", "host": "z", "text": "x"}) == []


@pytest.mark.parametrize(
    ("figures", "drawn"),
    [
        ([1, 2.0, 8], "▁▂█"),
        ([None, None, None], "▁▁█"),
        (["x", 10**400, float("nan")], "▁▁█"),
        ([1, None, 8], "▁?█"),
    ],
)
def test_a_watch_brings_what_it_measured_over_time(figures: list[Any], drawn: str) -> None:
    """Without figures, the looks that did not hold stand out; what is no figure is left out."""
    results = ("passed", "passed", "failed")
    rounds = [
        {"at_s": at, "results": {"one": result}, "figure": value}
        for at, (result, value) in enumerate(zip(results, figures, strict=True))
    ]

    seen = watched_from("one", rounds, {})

    assert seen.facts["over_time"] == drawn
    assert (seen.result, seen.facts["samples"], seen.facts["passed"]) == ("failed", 3, 2)


# Records as no plugin of ours would ever write them.

leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["passed", "failed", "unknown", "a", "b", "cause", "symptom", "changed"])
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
KEYS = (
    "kind",
    "host",
    "task",
    "status",
    "ours",
    "check",
    "message",
    "diff",
    "observations",
    "texts",
    "rounds",
    "hosts",
    "params",
    "problems",
)
wild = st.dictionaries(st.sampled_from(KEYS), values, max_size=6)
names = st.sampled_from(["a", "b", "z"])
looks = st.dictionaries(
    st.sampled_from(["one", "two", "cause", "symptom"]),
    st.fixed_dictionaries(
        {}, optional={"result": values, "facts": values, "reason": values, "seen_at": values}
    ),
)
rounds = st.lists(
    st.fixed_dictionaries(
        {"at_s": values},
        optional={
            "results": st.dictionaries(st.sampled_from(["cause", "symptom"]), leaves),
            "figure": values,
        },
    ),
    max_size=3,
)
actions = st.sampled_from(["runbook_begin", "runbook_acted", "runbook_end", "runbook_observe", "x"])
likely = st.one_of(
    st.builds(lambda host, task: {"kind": "ours", "host": host, "task": task}, names, actions),
    st.builds(lambda host: {"kind": "began", "host": host, "task": "x"}, names),
    st.builds(lambda host: {"kind": "lost", "host": host, "reason": "x"}, names),
    st.builds(lambda host: {"kind": "sampled", "host": host, "text": "x"}, names),
    st.builds(
        lambda host, status, action, mine, check: {
            "kind": "task",
            "host": host,
            "status": status,
            "task": action,
            "ours": mine,
            "check": check,
            "message": "m",
            "diff": "",
        },
        names,
        st.sampled_from(["ok", "changed", "failed", "ignored", "skipped", "unreachable"]),
        actions,
        st.booleans(),
        st.booleans(),
    ),
    st.builds(
        lambda host, seen, through: {
            "kind": "observed",
            "host": host,
            "observations": seen,
            "texts": {},
            "rounds": through,
        },
        names,
        looks,
        rounds,
    ),
    st.builds(
        lambda hosts, params: {
            "kind": "hosts",
            "hosts": hosts,
            "params": params,
            "problems": [],
        },
        st.lists(names),
        values,
    ),
)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(REQUESTS),
    st.lists(likely | wild, max_size=12),
    st.sampled_from(list(Ending)),
)
def test_no_sequence_of_records_breaks_a_promise(
    request_: Request, records: list[Record], ending: Ending
) -> None:
    """Out of order, twice, malformed, of strangers: each host gets its one final report."""
    result = told(request_, *records, ending=ending, reason=None)

    known = (HostActed, HostObserved, HostPreviewed, HostVerified, HostsResolved)
    assert all(isinstance(item, (*known, Progress, InvocationEnded)) for item in result.reports)


@settings(max_examples=80, deadline=None)
@given(st.lists(likely, max_size=12))
def test_nobody_is_said_to_have_acted_without_our_word_for_it(records: list[Record]) -> None:
    """Changed or unchanged needs the mark of the end, or the look that only comes after it."""
    marks = [
        record["host"]
        for record in records
        if (record["kind"] == "ours" and record["task"] == "runbook_acted")
        or record["kind"] == "observed"
    ]

    result = told(FIX, *records)

    for host in HOSTS:
        if result.acted(host).acted in (Acted.CHANGED, Acted.UNCHANGED):
            assert host in marks
