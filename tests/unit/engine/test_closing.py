"""The verdict a host's walk ends with."""

import pytest

from runbook.model.definition import FixResult, Step
from runbook.model.event import Acted, EvidenceExpired, HostEvent, Mode
from runbook.model.verdict import Verdict, exit_code
from tests.engine_harness import (
    HOST,
    after,
    answered,
    approved,
    ask,
    book,
    branch,
    cases,
    check,
    collect,
    declined,
    ended,
    fix,
    intended,
    manual,
    observed,
    seen,
    verified,
    watch,
)

RESTART = fix("restart", symptom="site", no_effect="site", cause_removed="site", max_visits=3)
SITE = check("site", failed="restart")
DONE: list[HostEvent] = [approved("restart"), intended("restart"), ended("restart")]

TABLE: dict[str, tuple[list[Step], list[HostEvent], Verdict]] = {
    "healthy as written": ([check("site")], [observed(site="passed")], Verdict.HEALTHY),
    "unresolved as written": ([check("site")], [observed(site="failed")], Verdict.UNRESOLVED),
    "healthy after a failed check": (
        [check("site", failed="again"), check("again")],
        [observed(site="failed", again="passed")],
        Verdict.SELF_RECOVERED,
    ),
    "healthy after a failed watch": (
        [watch("w", "again", failed="again"), check("again")],
        [observed(w="failed"), observed(again="passed")],
        Verdict.SELF_RECOVERED,
    ),
    "healthy before anything was done": (
        [SITE, RESTART],
        [
            observed(site="failed"),
            approved("restart"),
            EvidenceExpired(host=HOST, step="restart", age_s=61),
            observed(site="passed"),
        ],
        Verdict.SELF_RECOVERED,
    ),
    "resolved by the fix": (
        [SITE, RESTART],
        [observed(site="failed"), *DONE, verified("restart", FixResult.RESOLVED)],
        Verdict.RESOLVED,
    ),
    "healthy on the walk after a fix": (
        [SITE, RESTART],
        [
            observed(site="failed"),
            *DONE,
            verified("restart", FixResult.NO_EFFECT),
            observed(site="passed"),
        ],
        Verdict.RESOLVED,
    ),
    "healthy after a fix nobody saw the end of": (
        [SITE, RESTART],
        [
            observed(site="failed"),
            approved("restart"),
            intended("restart"),
            ended("restart", Acted.UNKNOWN, interrupted=True),
            verified("restart", FixResult.NO_EFFECT),
            observed(site="passed"),
        ],
        Verdict.RESOLVED,
    ),
    "healthy after a fix that never began": (
        [
            check("site", failed="restart"),
            fix("restart", symptom="site", unknown="later"),
            check("later"),
        ],
        [
            observed(site="failed"),
            approved("restart"),
            intended("restart"),
            ended("restart", Acted.WITHHELD),
            observed(later="passed"),
        ],
        Verdict.SELF_RECOVERED,
    ),
    "healthy after a person's hand": (
        [check("site", failed="hand"), manual("hand", done="later"), check("later")],
        [observed(site="failed"), answered("hand", "done"), observed(later="passed")],
        Verdict.RESOLVED,
    ),
    "declined": (
        [SITE, RESTART],
        [observed(site="failed"), declined("restart")],
        Verdict.DECLINED,
    ),
    "part of the walk unknown": (
        [check("site", failed="log"), check("log")],
        [observed(site="failed", log="unknown")],
        Verdict.ESCALATED,
    ),
    "nothing could be looked at": (
        [check("site", failed="log"), check("log")],
        [observed(site="unknown", log="unknown")],
        Verdict.UNKNOWN,
    ),
    "nothing of a checklist could be looked at": (
        [
            check("a", "b", "b", "b"),
            branch("b", ["c"], "c", "c"),
            collect("c", "end:healthy"),
        ],
        [observed(a="unknown", b="unknown"), observed(c="unknown")],
        Verdict.UNKNOWN,
    ),
    "the bundle of a checklist was had": (
        [check("a", "c", "c", "c"), collect("c", "end:escalated")],
        [observed(a="unknown"), observed(c="passed")],
        Verdict.ESCALATED,
    ),
    "a person knew what could not be looked at": (
        [check("a", unknown="q"), ask("q", {"off": "end:healthy"})],
        [observed(a="unknown"), answered("q", "off")],
        Verdict.HEALTHY,
    ),
    "a person did not know either": (
        [check("a", unknown="q"), ask("q", {"unknown": "end:escalated"})],
        [observed(a="unknown"), answered("q", "unknown")],
        Verdict.ESCALATED,
    ),
    "a person calls something failed": (
        [ask("q", {"failed": "site"}), check("site")],
        [answered("q", "failed"), observed(site="passed")],
        Verdict.HEALTHY,
    ),
    "neither looked at nor reached by a fix": (
        [
            check("site", unknown="restart"),
            fix("restart", symptom="site", unknown="end:unresolved"),
        ],
        [
            observed(site="unknown"),
            approved("restart"),
            intended("restart"),
            ended("restart", Acted.WITHHELD),
        ],
        Verdict.UNKNOWN,
    ),
    "healthy after a cause that no check named": (
        [
            branch("kind", ["restart"], "end:healthy"),
            fix("restart", symptom="site", cause="stopped", declined="site"),
            check("site"),
        ],
        [observed(kind=cases("true")), declined("restart"), observed(site="passed")],
        Verdict.SELF_RECOVERED,
    ),
    "unreachable after a fix": (
        [SITE, RESTART],
        [
            observed(site="failed"),
            *DONE,
            verified("restart", FixResult.CAUSE_REMOVED),
            observed(site="unknown"),
        ],
        Verdict.UNKNOWN,
    ),
    "unreachable however often one tries": (
        [check("site", unknown="site", max_visits=2)],
        [observed(site="unknown"), observed(site="unknown")],
        Verdict.UNKNOWN,
    ),
    "a branch whose case could not be told": (
        [check("a", passed="b"), branch("b", ["end:healthy"], "end:healthy")],
        [observed(a="passed", b=cases("unknown"))],
        Verdict.ESCALATED,
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_the_verdict(name: str) -> None:
    """A walk's verdict says what is known of the host, and nothing that is not."""
    steps, events, verdict = TABLE[name]

    assert after(book(*steps), *events).verdict is verdict


def test_an_unreachable_host_exits_with_4_and_its_reason() -> None:
    """The verdict of a host nobody could look at is not a hand-over, and says what was in the way."""
    runbook = book(check("site"))

    state = after(runbook, observed(site=seen("unknown", reason="no route to host")))

    assert state.reason == "no route to host"
    assert state.verdict is not None
    assert exit_code(state.verdict) == 4


def test_a_blind_diagnosis_says_both() -> None:
    """A fix reached blind is named, with the reason for being blind."""
    runbook = book(check("site", unknown="restart"), fix("restart", symptom="site"))

    state = after(
        runbook, observed(site=seen("unknown", reason="no route to host")), mode=Mode.DIAGNOSE
    )

    assert state.verdict is Verdict.UNKNOWN
    assert state.reason == "would do: Do restart; no route to host"


def test_an_escalation_says_what_could_not_be_told() -> None:
    """The reason of the last step on the path is the host's."""
    runbook = book(check("site", failed="log"), check("log"))

    state = after(runbook, observed(site="failed", log=seen("unknown", reason="permission denied")))

    assert state.reason == "permission denied"
