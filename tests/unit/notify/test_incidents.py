"""What belongs together, what of it is news, and how few messages it becomes."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from runbook.model.verdict import Verdict
from runbook.notify.collapse import Held, Sent, collapsed
from runbook.notify.incidents import Notice, Troubles
from runbook.notify.plan import Kind, Tier
from runbook.notify.signs import Sign

FIRST = Tier(name="first", targets=("chat",), about=frozenset(Kind))
SECOND = Tier(
    name="second",
    targets=("pager",),
    about=frozenset({Kind.STILL_FAILING, Kind.RESOLVED}),
    after_s=1800.0,
)
FAILED = Sign(
    kind=Kind.FAILED,
    run="run-1",
    runbook="fix-502",
    by="schedule",
    host="web1",
    at=0.0,
    text="unresolved",
    verdict=Verdict.UNRESOLVED,
)
WELL = replace(FAILED, kind=Kind.RESOLVED, verdict=Verdict.HEALTHY, text="healthy")


def told(notices: list[Notice]) -> list[tuple[str, Kind, str, str]]:
    """Return of each notice whom it is for, what it is about, which host and which incident."""
    return [(one.tier, one.kind, one.host, one.incident) for one in notices]


def test_an_incident_lasts_over_runs_until_its_hosts_are_well() -> None:
    """The same failure in a later run is no news; what is new keeps the first run's id."""
    troubles = Troubles([FIRST])

    first = troubles.take(FAILED)
    again = troubles.take(replace(FAILED, run="run-2", at=900.0))
    other = troubles.take(replace(FAILED, run="run-2", host="web2", at=901.0))
    stopped = troubles.take(replace(FAILED, kind=Kind.WAITING, run="run-3", at=1800.0))
    well = troubles.take(replace(WELL, run="run-4", at=2700.0))

    assert told(first) == [("first", Kind.FAILED, "web1", "run-1")]
    assert again == []
    assert told(other) == [("first", Kind.FAILED, "web2", "run-2")]
    assert told(stopped) == [("first", Kind.WAITING, "web1", "run-1")]
    assert told(well) == [("first", Kind.RESOLVED, "web1", "run-1")]
    assert well[0].run == "run-4"
    assert [one.host for one in troubles.open] == ["web2"]


def test_who_was_well_before_is_no_news() -> None:
    """A nightly check of healthy hosts tells nobody anything."""
    assert Troubles([FIRST]).take(WELL) == []


def test_a_later_tier_hears_once_and_then_of_the_end() -> None:
    """After 30 minutes, not before; of the incidents that did not last it never hears."""
    troubles = Troubles([SECOND])
    assert troubles.take(FAILED) == []
    assert troubles.overdue(1799.0) == []

    late = troubles.overdue(1800.0)

    assert told(late) == [("second", Kind.STILL_FAILING, "web1", "run-1")]
    assert late[0].text == "for 30 min: unresolved"
    assert troubles.overdue(9999.0) == []
    assert told(troubles.take(WELL)) == [("second", Kind.RESOLVED, "web1", "run-1")]
    assert troubles.take(replace(FAILED, run="run-5")) == []
    assert troubles.take(WELL) == []


def test_what_a_guard_held_back_is_told_once() -> None:
    """The walk ends as declined then, which says nothing more."""
    troubles = Troubles([FIRST])
    tripped = replace(FAILED, kind=Kind.GUARD_TRIPPED, verdict=None, text="budget: 3; at most 3")

    assert told(troubles.take(tripped)) == [("first", Kind.GUARD_TRIPPED, "web1", "run-1")]
    assert troubles.take(replace(FAILED, verdict=Verdict.DECLINED)) == []


def test_a_run_that_stopped_speaks_for_all_its_hosts() -> None:
    """Each host that it had begun to fix is told of; those of other runs are not."""
    troubles = Troubles([FIRST])
    started = replace(FAILED, kind=Kind.STARTED, verdict=None)
    for host, run in (("web1", "run-1"), ("web2", "run-1"), ("web3", "run-0")):
        troubles.take(replace(started, host=host, run=run))

    stopped = troubles.take(replace(FAILED, host=None, verdict=None, text="the run stopped"))

    assert [one.host for one in stopped] == ["web1", "web2"]


def test_a_tier_hears_of_what_it_is_for() -> None:
    """Runbook, host and who began the run are patterns, all of which have to fit."""
    picky = replace(FIRST, runbooks=("fix-*",), hosts=("web*",), by=("schedule", "alert"))

    assert Troubles([picky]).take(FAILED) != []
    for other in (
        replace(FAILED, runbook="disk-full"),
        replace(FAILED, host="db1"),
        replace(FAILED, by="ann"),
    ):
        assert Troubles([picky]).take(other) == []


def held(number: int, incident: str = "run-1", kind: Kind = Kind.FAILED) -> Held:
    """Return a notice that waits."""
    notice = Notice(
        tier="first",
        kind=kind,
        incident=incident,
        runbook="fix-502",
        host=f"web{number}",
        run=incident,
        at=0.0,
        text="unresolved",
    )
    return Held(id=number, notice=notice)


def test_hosts_of_an_incident_are_told_of_together() -> None:
    """Forty at once are one message; forty more within the minute wait for its end."""
    forty = [held(number) for number in range(40)]
    [first] = collapsed(FIRST, forty, [], 0.0)
    assert (len(first.held), first.incident, first.kind) == (40, "run-1", Kind.FAILED)

    sent = [Sent(at=0.0, incident="run-1", kind=Kind.FAILED)]
    assert collapsed(FIRST, forty, sent, 59.0) == []
    assert [len(one.held) for one in collapsed(FIRST, forty, sent, 60.0)] == [40]


def test_a_storm_of_incidents_is_a_few_messages() -> None:
    """Of two hundred incidents four have a message of their own; the fifth has the rest."""
    storm = [held(number, incident=f"run-{number}") for number in range(200)]

    bundles = collapsed(FIRST, storm, [], 0.0)

    assert [len(one.held) for one in bundles] == [1, 1, 1, 1, 196]
    assert bundles[-1].incident is None


@given(
    arriving=st.lists(
        st.lists(st.tuples(st.integers(0, 6), st.sampled_from(list(Kind))), max_size=8),
        min_size=1,
        max_size=30,
    ),
    burst=st.integers(1, 4),
)
def test_nothing_is_lost_and_never_too_much_is_said(
    arriving: list[list[tuple[int, Kind]]], burst: int
) -> None:
    """Whatever comes when: each notice is in one message, and no minute has more than `burst`."""
    tier = replace(FIRST, burst=burst)
    waiting: list[Held] = []
    sent: list[Sent] = []
    said: list[int] = []
    number = 0
    for moment, new in enumerate([*arriving, *([[]] * 40)]):
        now = 7.0 * moment
        for incident, kind in new:
            number += 1
            waiting.append(held(number, f"run-{incident}", kind))
        for bundle in collapsed(tier, waiting, sent, now):
            sent.append(Sent(at=now, incident=bundle.incident, kind=bundle.kind))
            said += [one.id for one in bundle.held]
        waiting = [one for one in waiting if one.id not in said]
        assert sum(now - 60.0 < one.at for one in sent) <= burst
    assert sorted(said) == list(range(1, number + 1))
