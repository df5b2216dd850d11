"""The fault matrix plays again what told nothing, keeps what was right, and fails where a cell is wrong."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.lab import matrix
from tests.lab.cells import Wave
from tests.lab.matrix import AT_MOST, Stage, main
from tests.lab.results import Result, read

WORDS = ["too slow", "SIGSTOP", "event loop blocked"]
CELLS = 9


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[str, int], str]], list[int]]:
    """Give a function that puts a table of verdicts in the place of real hosts.

    It returns a list that grows by the size of each wave that was played.
    """

    def put(verdict: Callable[[str, int], str]) -> list[int]:
        sizes: list[int] = []
        times: dict[str, int] = {}

        def play(_stage: Stage, wave: Wave) -> list[Result]:
            sizes.append(len(wave))
            return [result(f"{cell.fault.name}/{cell.manager}") for cell in wave]

        def result(key: str) -> Result:
            times[key] = times.get(key, 0) + 1
            fault, manager = key.split("/")
            said = verdict(key, times[key])
            wrong = () if said == "resolved" else (f"not resolved: {said}",)
            return Result(fault=fault, manager=manager, verdict=said, wrong=wrong)

        monkeypatch.setattr(matrix.Stage, "play", play)
        return sizes

    return put


def run(*arguments: str) -> tuple[int, str]:
    """Run the program; return its exit code and what it prints."""
    done = CliRunner().invoke(main, arguments)
    return done.exit_code, done.output


def test_a_cell_that_told_nothing_is_played_again(
    stage: Callable[[Callable[[str, int], str]], list[int]],
) -> None:
    """A cell whose run says unknown, or says nothing, is played again, and that is told."""
    said = ["unknown", "-", "resolved"]
    sizes = stage(lambda key, times: said[times - 1] if "too slow/p" in key else "resolved")

    code, printed = run(*WORDS)

    assert (code, sum(sizes)) == (0, CELLS + 2)
    assert printed.count("it is played again") == 2
    assert "(played 3 times)" in printed
    assert f"{CELLS} of {CELLS} right; 1 were played more than once" in printed


@pytest.mark.parametrize(("said", "times"), [("escalated", 1), ("unknown", AT_MOST)])
def test_a_wrong_cell_fails_the_matrix(
    stage: Callable[[Callable[[str, int], str]], list[int]], said: str, times: int
) -> None:
    """A wrong verdict is not tried again until it is right, and unknown not for ever: both fail."""
    sizes = stage(lambda key, _: said if key == "its event loop blocked/systemd" else "resolved")

    code, printed = run(*WORDS)

    assert (code, sum(sizes)) == (1, CELLS + times - 1)
    assert f"{CELLS - 1} of {CELLS} right" in printed
    assert f"not resolved: {said}" in printed
    assert "| its event loop blocked | none | - | resolved | - | - | 0 | 0 |" in printed


def test_results_are_kept_and_gone_on_from(
    stage: Callable[[Callable[[str, int], str]], list[int]], tmp_path: Path
) -> None:
    """Each result is in the file at once; the next call plays what was not right, and tells of all."""
    out = tmp_path / "matrix.jsonl"
    asked: list[Sequence[Result]] = []

    def breaks_down(key: str, _times: int) -> str:
        asked.append(read(out))
        if key == "too slow/supervisor":
            raise KeyboardInterrupt
        return "escalated" if key == "its event loop blocked/process" else "resolved"

    stage(breaks_down)
    code, _ = run("--out", str(out), *WORDS)
    kept = read(out)
    assert code != 0
    assert 0 < len(kept) == len(asked[-1]) < CELLS

    sizes = stage(lambda *_: "resolved")
    code, printed = run("--out", str(out), *WORDS)

    right = sum(not one.wrong for one in kept)
    assert (code, sum(sizes)) == (0, CELLS - right)
    assert f"{right} of {CELLS} cells were right before" in printed
    assert f"{CELLS} of {CELLS} right" in printed
    assert run("--out", str(out), *WORDS)[0] == 0
    assert sum(sizes) == CELLS - right


def test_a_fault_there_is_not() -> None:
    """Words that no fault has in its name are a mistake, and not a matrix that is right."""
    code, printed = run("no such fault")

    assert code == 2
    assert "no fault has 'no such fault' in its name" in printed
