"""A share of the crash matrix; `make crash` plays all of it."""

from pathlib import Path

import pytest

from tests.crash.lives import Build
from tests.crash.matrix import Death, anywhere, boundaries, everywhere, play, play_somewhere

STEP = 9
SEEDS = range(8)


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Give the boundaries of a run that nothing disturbs."""
    return boundaries(tmp_path_factory.mktemp("undisturbed"))


def test_killed_at_its_boundaries_a_run_loses_and_repeats_nothing(stages: list[str]) -> None:
    """Every ninth of them: what was acknowledged is there, the end is the same, no fix repeated."""
    for deaths in everywhere(stages, step=STEP, first=len(stages) % STEP):
        played = play_somewhere(deaths)

        assert not played.wrong, deaths
        assert len(played.stages) == 1, deaths


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_again_and_again_a_run_loses_and_repeats_nothing(seed: int) -> None:
    """Up to four times in a row, in its beginning and in its resumes, wherever they stand."""
    deaths = anywhere(seed)

    assert not play_somewhere(deaths).wrong, deaths


@pytest.mark.parametrize(
    ("build", "stage", "noticed"),
    [
        (Build.DEFERS, "FixIntended: written", "was acknowledged, and is not there"),
        (Build.DEFERS, "the fix at work", "no entry says that it was about to"),
        (Build.FORGETS, "the fix at work", "was begun on no approval of its own"),
        (Build.FORGETS, "FixIntended: written", "was begun on no approval of its own"),
    ],
)
def test_a_defect_would_be_noticed(
    build: Build, stage: str, noticed: str, stages: list[str], tmp_path: Path
) -> None:
    """A program with this defect does not pass; the sound one, killed there as well, does."""
    deaths = [Death(boundary=stages.index(stage) + 1)]

    assert any(noticed in text for text in play(tmp_path, deaths, build).wrong)
    assert not play_somewhere(deaths).wrong
