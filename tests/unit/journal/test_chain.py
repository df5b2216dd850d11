"""The hash chain: every change to any entry shows."""

import json
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.errors import RunbookError
from runbook.journal import Head
from runbook.journal.chain import EMPTY, GENESIS, Row, check, extend, link
from runbook.model.codec import canonical, from_text
from tests.event_strategies import unhurried

rows_of_runs = st.lists(
    st.tuples(st.sampled_from(["{}", "[]", "1", '"x"']), st.floats(0, 2e9), st.text(max_size=3)),
    min_size=1,
    max_size=6,
)
Facts = list[tuple[str, float, str]]


def chained(facts: Facts) -> tuple[list[Row], Head]:
    """Return the chain of a run."""
    rows: list[Row] = []
    head = EMPTY
    for event, at, who in facts:
        more, head = extend("r1", head, [event], at=at, who=who)
        rows += more
    return rows, head


def test_hash_covers_previous_hash_and_canonical_entry() -> None:
    """Anybody can recompute a hash from the documented recipe."""
    row = link("r1", Head(seq=2, hash="ab" * 32), at=1.5, who="Zoë", event='{"type":"x","v":1}')

    body = canonical({
        "run": "r1",
        "seq": 3,
        "at": 1.5,
        "who": "Zoë",
        "event": {"type": "x", "v": 1},
    })  # fmt: skip
    assert json.loads(body)["seq"] == 3
    assert row.hash == sha256(("ab" * 32 + body).encode()).hexdigest()


@unhurried
@given(rows_of_runs)
def test_an_untouched_chain_holds(facts: Facts) -> None:
    """A chain as it was written passes, and so does an empty one."""
    check("r1", *chained(facts))
    check("r1", [], Head(seq=0, hash=GENESIS))


@unhurried
@given(rows_of_runs, st.data())
def test_any_edit_shows(facts: Facts, data: st.DataObject) -> None:
    """Changing any field of any entry is found, at that entry."""
    rows, head = chained(facts)
    index = data.draw(st.integers(0, len(rows) - 1))
    row = rows[index]
    rows[index] = data.draw(
        st.sampled_from(
            [
                replace(row, at=row.at + 1),
                replace(row, who=row.who + "x"),
                replace(row, event=row.event + " "),
                replace(row, hash="0" * 64),
            ]
        )
    )

    with pytest.raises(RunbookError, match=f"entry {index + 1} "):
        check("r1", rows, head)


@unhurried
@given(rows_of_runs, st.data())
def test_any_removal_shows(facts: Facts, data: st.DataObject) -> None:
    """Removing any entry is found, the last one by the head."""
    rows, head = chained(facts)
    index = data.draw(st.integers(0, len(rows) - 1))
    del rows[index]

    with pytest.raises(RunbookError, match=f"entry {index + 1} of run r1 is missing"):
        check("r1", rows, head)


@unhurried
@given(rows_of_runs, st.data())
def test_any_removal_with_the_rest_renumbered_shows(facts: Facts, data: st.DataObject) -> None:
    """Closing the gap after a removal does not hide it."""
    rows, head = chained(facts)
    del rows[data.draw(st.integers(0, len(rows) - 1))]
    rows = [replace(row, seq=number) for number, row in enumerate(rows, 1)]

    with pytest.raises(RunbookError, match="journal-broken"):
        check("r1", rows, head)


@unhurried
@given(rows_of_runs, rows_of_runs, st.data())
def test_any_reordering_shows(facts: Facts, more: Facts, data: st.DataObject) -> None:
    """Swapping any two entries, with or without their numbers, is found at the first."""
    rows, head = chained(facts + more)
    first = data.draw(st.integers(0, len(rows) - 2))
    second = data.draw(st.integers(first + 1, len(rows) - 1))
    rows[first], rows[second] = rows[second], rows[first]
    if data.draw(st.booleans()):
        rows = [replace(row, seq=number) for number, row in enumerate(rows, 1)]

    with pytest.raises(RunbookError, match=f"entry {first + 1} "):
        check("r1", rows, head)


@unhurried
@given(rows_of_runs)
def test_an_addition_shows(facts: Facts) -> None:
    """An entry that was linked properly but that the head does not know of is found."""
    rows, head = chained(facts)
    more, _ = extend("r1", head, ["9"], at=1.0, who="anna")

    with pytest.raises(RunbookError, match=f"entry {head.seq + 1} of run r1 was added"):
        check("r1", rows + more, head)


@unhurried
@given(rows_of_runs)
def test_a_chain_of_another_run_shows(facts: Facts) -> None:
    """Entries cannot be moved to another run."""
    rows, head = chained(facts)

    with pytest.raises(RunbookError, match="entry 1 of run r2"):
        check("r2", rows, head)


def test_a_rewritten_chain_shows_by_a_head_kept_elsewhere() -> None:
    """Who recomputes all hashes after an edit is found out by the head on the report."""
    _, noted = chained([("1", 1.0, "anna"), ("2", 2.0, "anna")])
    rewritten, _ = chained([("1", 1.0, "anna"), ("3", 2.0, "anna")])

    with pytest.raises(RunbookError, match="is not the one the journal ended with"):
        check("r1", rewritten, noted)


def test_a_row_that_is_no_event_is_broken() -> None:
    """Text that is not JSON is an error of ours when it is opened."""
    with pytest.raises(RunbookError, match="journal-broken"):
        from_text("{")
