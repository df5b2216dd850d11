"""The figures of a runbook in words."""

import json
from datetime import UTC
from pathlib import Path

import pytest

from runbook.driver.experience import Attempt, CauseExperience, Experience, FixExperience
from runbook.driver.figures import Figures, Flapping, Times
from runbook.model.definition import FixResult
from runbook.model.verdict import Verdict
from runbook.spec.library import load
from runbook.views.stats import Known, known_of, stats_document, stats_text

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "golden" / "report" / "stats.txt"
AT = 1771125120.0  # 2026-02-15 03:12:00 UTC
KNOWN = Known(
    name="fix-502",
    titles={"backend_stopped": "The backend is not running", "restart": "Restart it"},
    declared={"never_seen": 0.05, "backend_stopped": 0.7, "wrong_import": None},
)
FIGURES = Figures(
    runs=31,
    walks=40,
    faults=28,
    verdicts={Verdict.RESOLVED: 25, Verdict.HEALTHY: 12, Verdict.ESCALATED: 3},
    past=Experience(
        causes={
            "wrong_import": CauseExperience(found=9),
            "backend_stopped": CauseExperience(found=19, cleared=2),
        },
        fixes={
            "restart": FixExperience(
                tried=19,
                worked=17,
                median_s=41.0,
                last_failure=Attempt(
                    run="r1", step="restart", host="web3", at=AT, result=FixResult.NO_EFFECT
                ),
            ),
            "correct_the_import": FixExperience(tried=1, worked=0),
        },
    ),
    fix_times={"restart": Times(count=17, median_s=41.0, p90_s=125.0)},
    repair=Times(count=25, median_s=62.0, p90_s=240.0),
    flapping=tuple(
        Flapping(host=f"web{number}", cause="backend_stopped", again=12 - number, last_at=AT)
        for number in range(1, 12)
    ),
)


def said(width: int | None = None) -> str:
    """Return all of it in words."""
    return stats_text(FIGURES, KNOWN, within_s=86400.0, zone=UTC, width=width)


def test_figures_read_as_written_down() -> None:
    """The golden file has the tables of causes and fixes, the time to repair, and what came back."""
    assert said() + "\n" == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [64, 80])
def test_figures_fit_a_terminal(width: int) -> None:
    """No line is wider; no figure is cut."""
    text = said(width)

    assert max(map(len, text.splitlines())) <= width
    for figure in ("17 of 19", "41 s", "2 min 5 s", "68%", "70%"):
        assert figure in text


def test_document_is_plain_data() -> None:
    """The same as JSON: shares, seconds and times, null for what is not known."""
    document = stats_document(FIGURES, KNOWN, within_s=86400.0)

    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["causes"][0] == {
        "id": "backend_stopped",
        "title": "The backend is not running",
        "found": 19,
        "share": 0.6786,
        "declared": 0.7,
        "cleared_by_itself": 2,
    }
    assert document["causes"][2]["found"] == 0
    assert document["fixes"][0]["last_failure"] == {
        "run_id": "r1",
        "host": "web3",
        "at": "2026-02-15T03:12:00.000+00:00",
    }
    assert document["fixes"][1]["median_s"] is None
    assert document["time_to_repair"] == {"hosts": 25, "median_s": 62.0, "p90_s": 240.0}
    assert len(document["flapping"]) == 11


def test_without_any_run_it_says_so() -> None:
    """Nothing to add up is said in words, and as zeros."""
    assert stats_text(Figures(), KNOWN, within_s=1.0) == (
        "No host has come to an end in a run of fix-502."
    )
    assert stats_document(Figures(), KNOWN, within_s=1.0)["causes"][0]["share"] is None


def test_a_runbook_tells_its_titles_and_likelihoods() -> None:
    """Titles of causes and steps, and how likely each cause is said to be."""
    known = known_of(load("fix-502", [ROOT.parent / "runbooks"]))

    assert known.name == "fix-502"
    assert known.titles["site"]
    assert all(likelihood is None or 0 < likelihood < 1 for likelihood in known.declared.values())
    assert known.declared
