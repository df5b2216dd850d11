"""The judgement of a fix from the looks after it."""

import pytest

from runbook.model.definition import CheckResult, FixResult
from runbook.model.verification import judge

_LETTERS = {"p": CheckResult.PASSED, "f": CheckResult.FAILED, "u": CheckResult.UNKNOWN}

# (cause samples, symptom samples, seconds to hold): result
TABLE: list[tuple[str, str, float, FixResult]] = [
    ("p", "p", 0, FixResult.RESOLVED),
    ("ffp", "fpp", 0, FixResult.RESOLVED),
    ("uup", "ufp", 0, FixResult.RESOLVED),
    ("fpppp", "fpppp", 3, FixResult.RESOLVED),
    ("p", "p", 3, FixResult.UNKNOWN),
    ("pppf", "pppp", 3, FixResult.RECURRED),
    ("pppp", "ppfp", 3, FixResult.RECURRED),
    ("pupf", "pppp", 3, FixResult.RECURRED),
    ("ppup", "pppp", 3, FixResult.UNKNOWN),
    ("pppp", "pppu", 3, FixResult.UNKNOWN),
    ("ppp", "fff", 0, FixResult.CAUSE_REMOVED),
    ("fup", "fff", 0, FixResult.CAUSE_REMOVED),
    ("ffp", "uuf", 0, FixResult.CAUSE_REMOVED),
    ("pfp", "fff", 0, FixResult.NO_EFFECT),
    ("pff", "fff", 0, FixResult.NO_EFFECT),
    ("fff", "fff", 0, FixResult.NO_EFFECT),
    ("ffu", "fff", 0, FixResult.UNKNOWN),
    ("ffp", "ffu", 0, FixResult.UNKNOWN),
    ("fff", "ppp", 0, FixResult.NO_EFFECT),
    ("fff", "uuu", 0, FixResult.NO_EFFECT),
    ("uuu", "ppp", 0, FixResult.UNKNOWN),
    ("uuu", "uuu", 0, FixResult.UNKNOWN),
    ("", "ffp", 0, FixResult.RESOLVED),
    ("", "fpppp", 3, FixResult.RESOLVED),
    ("", "fpf", 3, FixResult.RECURRED),
    ("", "fff", 0, FixResult.NO_EFFECT),
    ("", "ffu", 0, FixResult.UNKNOWN),
    ("", "", 0, FixResult.UNKNOWN),
]


def samples(letters: str) -> list[CheckResult]:
    """Read p, f and u as results."""
    return [_LETTERS[letter] for letter in letters]


@pytest.mark.parametrize(("causes", "symptoms", "hold", "result"), TABLE)
def test_the_judgement(causes: str, symptoms: str, hold: float, result: FixResult) -> None:
    """Resolved is seen and lasting; unknown is nothing else; what comes and goes is not gone."""
    assert judge(samples(causes), samples(symptoms), hold).result is result


def test_what_is_unknown_says_why() -> None:
    """A judgement of unknown has a reason."""
    unknown = [row for row in TABLE if row[3] is FixResult.UNKNOWN]

    assert all(judge(samples(row[0]), samples(row[1]), row[2]).reason for row in unknown)


def test_samples_go_in_step() -> None:
    """Sequences of different length cannot be judged."""
    with pytest.raises(ValueError, match="in step"):
        judge(samples("pp"), samples("p"), 0)
