"""The examples of commands that look back, in their help and in the page about it, work."""

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from runbook.model.definition import End
from runbook.model.event import Event, HostFinished, RunFinished, StepConcluded
from runbook.model.verdict import Verdict
from runbook.views.cli import main
from tests.acceptance.program import Program
from tests.cli.test_past_runs import record

ROOT = Path(__file__).parents[2]


def shown_in_help(name: str) -> list[str]:
    """Return the calls that a command's help shows."""
    command = main.get_command(click.Context(main), name)
    assert command is not None
    return re.findall(r"^ +runbook (.*)$", command.help or "", re.MULTILINE)


def shown_in_page() -> list[str]:
    """Return the calls that docs/how-to/afterwards.md shows."""
    page = (ROOT / "docs" / "how-to" / "afterwards.md").read_text(encoding="utf-8")
    return re.findall(r"^\$ runbook (.*)$", page, re.MULTILINE)


@pytest.mark.parametrize("source", ["graph", "history", "report", "stats", "page"])
def test_every_example_works(
    source: str, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each ends with exit code 0 and has something to say, in a journal with one run."""
    verdict = Verdict.HEALTHY
    passed = StepConcluded(host="web1", step="site", result="passed", next=End(verdict=verdict))
    finished = HostFinished(host="web1", verdict=verdict)
    ended: list[Event] = [passed, finished, RunFinished(verdict=verdict)]
    record(program, "20260131-225320-9f3a", "web1", 1769900000.0, ended)
    monkeypatch.setenv("RUNBOOK_HOME", str(program.home))
    monkeypatch.setenv("RUNBOOK_LIBRARY", str(ROOT / "runbooks"))
    monkeypatch.chdir(program.folder)
    shown = shown_in_page() if source == "page" else shown_in_help(source)
    assert len(shown) >= 2

    for call in shown:
        # What the shell does of it is left out.
        done = CliRunner().invoke(main, shlex.split(re.split(r" [|>] ", call)[0]))

        assert done.exit_code == 0, (call, done.output)
        assert done.stdout.strip(), call
