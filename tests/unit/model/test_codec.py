"""Events as plain data and back."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.errors import RunbookError
from runbook.model.codec import canonical, decode, encode, from_text, plain, to_text
from runbook.model.definition import CheckResult, End, FixResult, Goto
from runbook.model.event import (
    Answered,
    Event,
    FixConcluded,
    HostFinished,
    HostJoined,
    Observed,
    RunFinished,
    StepConcluded,
)
from runbook.model.masking import MASK
from runbook.model.observation import Observation
from runbook.model.verdict import Verdict
from tests.event_strategies import events, json_values, kinds, of, unhurried


@pytest.mark.parametrize("kind", kinds, ids=lambda kind: kind.__name__)
def test_every_event_type_survives_the_journal(kind: type) -> None:
    """What is read back equals what was written, for each type of event."""

    @unhurried
    @given(of(kind))
    def survives(event: Event) -> None:
        assert from_text(to_text(event)) == event
        assert type(from_text(to_text(event))) is kind

    survives()


@unhurried
@given(events)
def test_equal_events_have_equal_text(event: Event) -> None:
    """Writing what was read gives the same bytes: the text is canonical, and ASCII."""
    written = to_text(event)

    assert to_text(from_text(written)) == written
    assert written.isascii()


def test_plain_form_is_typed_versioned_and_explicit() -> None:
    """The stored form names type and version and leaves no field out; other programs read it."""
    event = StepConcluded(
        host="web1",
        step="site",
        result="failed",
        next=End(verdict=Verdict.ESCALATED, cause="stopped"),
        evidence=Observation(result=CheckResult.FAILED, facts={"status": 502}, seen_at=3),
    )

    assert encode(event) == {
        "type": "step_concluded",
        "v": 1,
        "host": "web1",
        "step": "site",
        "result": "failed",
        "next": {"type": "end", "verdict": "escalated", "cause": "stopped"},
        "cause": None,
        "evidence": {
            "result": "failed",
            "facts": {"status": 502},
            "reason": None,
            "expected": None,
            "seen_at": 3.0,
            "took_s": 0.0,
        },
    }


def test_fields_that_later_versions_added_may_be_missing() -> None:
    """An entry written before a field with a default existed is read with that default."""
    written = encode(HostFinished(host="web1", verdict=Verdict.HEALTHY))
    del written["causes"], written["reason"]

    assert decode(written) == HostFinished(host="web1", verdict=Verdict.HEALTHY)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"type": "host_teleported"}, 'events of the type "host_teleported"'),
        ({"v": 2}, 'version 2 of "fix_concluded"'),
        ({"mood": "good"}, 'the field "mood" of "fix_concluded"'),
        ({"result": "half_done"}, 'the word "half_done" for "result"'),
        ({"next": {"type": "sleep"}}, 'the type "sleep" in "next"'),
        ({"next": {"type": "goto", "step": "a", "speed": 1}}, 'the field "speed" of "goto"'),
    ],
)
def test_what_a_later_version_wrote_is_refused(change: dict[str, Any], said: str) -> None:
    """Unknown types, versions, fields and words are `journal-newer`, with a hint; never guessed."""
    event = FixConcluded(
        host="web1", step="restart", result=FixResult.RESOLVED, next=Goto(step="site")
    )

    with pytest.raises(RunbookError) as caught:
        decode(encode(event) | change)

    assert caught.value.problems[0].reference == "journal-newer"
    assert said in caught.value.problems[0].message
    assert "upgrade" in str(caught.value.problems[0].hint)


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"type": 1, "v": 1},
        {"type": "run_finished", "v": 1},
        {"type": "run_finished", "v": 1, "verdict": 1},
        {"type": "host_joined", "v": 1, "host": "web1", "params": []},
        {"type": "host_joined", "v": 1, "host": 1},
        {"type": "host_finished", "v": 1, "host": "a", "verdict": "healthy", "causes": "none"},
        {"type": "evidence_expired", "v": 1, "host": "web1", "step": "a", "age_s": "long"},
        {"type": "observed", "v": 1, "host": "web1", "observations": {"a": 1}},
        {"type": "observed", "v": 1, "host": "web1", "observations": [], "texts": {}},
        {"type": "step_concluded", "v": 1, "host": "a", "step": "a", "result": "x", "next": 1},
    ],
)
def test_what_no_version_wrote_is_broken(data: Any) -> None:
    """Data that is no event of any version is `journal-broken`, not a traceback."""
    with pytest.raises(RunbookError) as caught:
        decode(data)

    assert caught.value.problems[0].reference == "journal-broken"


@unhurried
@given(st.one_of(st.text(), json_values.map(json.dumps)))
def test_reading_any_text_ends_in_an_event_or_an_error_of_ours(text: str) -> None:
    """No text in the journal's file can make reading raise anything but `RunbookError`."""
    with pytest.raises(RunbookError):
        from_text(text)


@unhurried
@given(events.map(encode), st.data())
def test_reading_a_damaged_event_ends_in_an_event_or_an_error_of_ours(
    written: dict[str, Any], data: st.DataObject
) -> None:
    """An event with any one field replaced by any data is read or refused, never a traceback."""
    field = data.draw(st.sampled_from(sorted(written)))
    damaged = written | {field: data.draw(json_values)}

    assert read_reference(damaged) in {None, "journal-newer", "journal-broken"}


def read_reference(data: dict[str, Any]) -> str | None:
    """Read data as an event; return the reference of the error, if any."""
    try:
        decode(data)
    except RunbookError as error:
        return error.problems[0].reference
    return None


def test_figures_json_has_no_word_for_survive() -> None:
    """NaN and infinity among a host's facts do not stop the journal."""
    event = HostJoined(host="web1", params={"load": math.inf, "rate": math.nan})

    back = from_text(to_text(event))

    assert isinstance(back, HostJoined)
    assert back.params["load"] == math.inf
    assert math.isnan(back.params["rate"])


def test_mask_reaches_free_text_and_data_but_no_names() -> None:
    """A mask is applied to what people and hosts wrote, never to names that entries refer to."""
    event = Answered(host="web1", step="web1", answer="web1", by="web1", note="web1", title="web1")

    written = encode(event, lambda value: MASK if value == "web1" else value)

    assert written == {
        "type": "answered",
        "v": 1,
        "host": "web1",
        "step": "web1",
        "answer": "web1",
        "by": MASK,
        "note": MASK,
        "title": MASK,
    }


def test_mask_reaches_nested_facts() -> None:
    """Facts inside the observations of an event are masked; the steps' ids stay."""
    event = Observed(
        host="web1",
        observations={"token": Observation(result=CheckResult.PASSED, facts={"body": "token"})},
    )

    written = encode(event, lambda value: {"body": MASK} if value == {"body": "token"} else value)

    assert written["observations"]["token"]["facts"] == {"body": MASK}


def test_any_record_of_the_model_has_a_plain_form() -> None:
    """A record that is no event is written as inside one, without a type."""
    assert plain(Goto(step="site")) == {"step": "site"}


def test_canonical_text_does_not_depend_on_order() -> None:
    """Mappings that are equal have the same canonical text."""
    assert canonical({"b": [1, 1.5], "a": "é"}) == canonical({"a": "é", "b": [1, 1.5]})
    assert canonical({"b": 1, "a": "é"}) == '{"a":"\\u00e9","b":1}'


def test_verdict_of_a_run_is_written_as_its_word() -> None:
    """Enumerated values are stored as the words of the language."""
    assert encode(RunFinished(verdict=Verdict.SELF_RECOVERED))["verdict"] == "self_recovered"
