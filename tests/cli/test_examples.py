"""The examples in the help of commands that look back do what they say."""

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


def examples(name: str) -> list[str]:
    """Return the calls that a command's help shows, each without what the shell does of it."""
    command = main.get_command(click.Context(main), name)
    assert command is not None
    calls = re.findall(r"^ +runbook (.*)$", command.help or "", re.MULTILINE)
    return [re.split(r" [|>] ", call)[0] for call in calls]


@pytest.mark.parametrize("name", ["graph", "history", "report", "stats"])
def test_every_example_works(name: str, program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each ends with exit code 0 and has something to say, in a journal with one run."""
    verdict = Verdict.HEALTHY
    passed = StepConcluded(host="web1", step="site", result="passed", next=End(verdict=verdict))
    ended: list[Event] = [
        passed,
        HostFinished(host="web1", verdict=verdict),
        RunFinished(verdict=verdict),
    ]
    record(program, "20260131-225320-9f3a", "web1", 1769900000.0, ended)
    monkeypatch.setenv("RUNBOOK_HOME", str(program.home))
    monkeypatch.setenv("RUNBOOK_LIBRARY", str(ROOT / "runbooks"))
    monkeypatch.chdir(program.folder)
    assert len(examples(name)) >= 2

    for call in examples(name):
        done = CliRunner().invoke(main, shlex.split(call))

        assert done.exit_code == 0, (call, done.output)
        assert done.stdout.strip(), call
