"""What holds for every command, on a group with commands that go wrong."""

import json
import stat
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from runbook.errors import RunbookError
from runbook.views import options
from runbook.views.frame import FramedGroup
from runbook.views.output import tell, write, write_json


@click.group(cls=FramedGroup)
@options.verbose
def group() -> None:
    """Stand for the program."""


@group.command()
@click.argument("code", type=int)
def end(code: int) -> int:
    """Return an exit code."""
    return code


@group.command("exit")
@click.pass_context
def exit_(context: click.Context) -> None:
    """Exit in click's way."""
    context.exit(3)


@group.command()
@options.output
def refuse(output: options.Output) -> None:
    """Raise an error of ours."""
    raise RunbookError.of("no-way", "it cannot be done", hint="Do something else.", exit_code=4)


@group.command()
@options.output
def interrupt(output: options.Output) -> None:
    """Be interrupted."""
    raise KeyboardInterrupt


@group.command()
@options.output
def fall(output: options.Output) -> None:
    """Run into a defect."""
    secret = "password=hunter2hunter2"  # a shape that is masked
    raise ValueError(secret)


@group.command("quit")
def quit_() -> None:
    """Raise an error of the system that has nothing to do with output."""
    raise BrokenPipeError(32, "Broken pipe")


@group.command()
@options.output
def say(output: options.Output) -> None:
    """Say how it was asked to speak."""
    tell("told")
    if output.json:
        write_json({"verbosity": output.verbosity, "colour": output.colour, "text": "✓\x1b"})
    else:
        write(f"{output}")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of state."""
    folder = tmp_path / "deep" / "home"
    monkeypatch.setenv("RUNBOOK_HOME", str(folder))
    return folder


def call(*arguments: str) -> Result:
    """Call the group as the program is called."""
    return CliRunner().invoke(group, arguments)


def test_a_command_returns_its_exit_code() -> None:
    """What a command returns is the program's exit code, as is click's own way."""
    assert call("end", "0").exit_code == 0
    assert call("end", "3").exit_code == 3
    assert call("exit").exit_code == 3
    assert call("say").exit_code == 0


def test_an_error_keeps_its_exit_code_and_is_rendered() -> None:
    """An error of ours goes to standard error as text, with its own exit code."""
    done = call("refuse")

    assert (done.exit_code, done.stdout) == (4, "")
    assert done.stderr == "error: no-way\n\nit cannot be done\n\nhint: Do something else.\n"


def test_an_error_is_a_document_too() -> None:
    """With --json the same error is the one document of standard output."""
    done = call("refuse", "--json")

    assert json.loads(done.stdout) == {
        "errors": [
            {
                "file": None,
                "line": None,
                "column": None,
                "severity": "error",
                "reference": "no-way",
                "message": "it cannot be done",
                "context": None,
                "hint": "Do something else.",
            }
        ],
        "exit_code": 4,
    }


def test_an_interrupt_is_130() -> None:
    """Ctrl-C says a word, and no traceback."""
    done = call("interrupt")

    assert (done.exit_code, done.stdout, done.stderr) == (130, "", "interrupted\n")


def test_an_interrupt_is_said_in_json_too() -> None:
    """A program that wants JSON has its one document after a signal as well."""
    done = call("interrupt", "--json")

    assert (done.exit_code, done.stderr) == (130, "interrupted\n")
    told = json.loads(done.stdout)
    assert told["exit_code"] == 130
    assert [error["reference"] for error in told["errors"]] == ["interrupted"]


def test_a_defect_is_saved_and_masked_and_not_shown(home: Path) -> None:
    """Nobody sees a traceback unasked; it is kept, for its owner alone, without secrets."""
    done = call("fall", "--json")

    assert done.exit_code == 70
    assert "this is a defect of runbook: ValueError" in done.stderr
    assert "Traceback" not in done.output
    assert json.loads(done.stdout)["exit_code"] == 70
    [saved] = (home / "defects").iterdir()
    assert str(saved) in done.stderr
    assert "Traceback" in saved.read_text()
    assert "hunter2" not in saved.read_text() + done.output
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_a_defect_is_shown_to_whoever_asks(home: Path) -> None:
    """-vv shows the traceback, masked as well."""
    for arguments in (("-vv", "fall"), ("fall", "-vv"), ("-v", "fall", "-v")):
        done = call(*arguments)
        assert "Traceback" in done.stderr
        assert "hunter2" not in done.stderr
    assert "Traceback" not in call("-v", "fall").stderr


def test_a_defect_is_told_where_nothing_can_be_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A state folder that cannot be made does not hide the defect."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path / "file" / "home"))

    done = call("fall")

    assert done.exit_code == 70
    assert "could not be saved" in done.stderr


def test_a_pipe_of_our_own_that_breaks_is_a_defect(home: Path) -> None:
    """Only our output's reader may go away quietly; any other broken pipe is told."""
    done = call("quit")

    assert done.exit_code == 70
    assert "BrokenPipeError" in done.stderr


def test_options_count_before_and_after_the_command() -> None:
    """-v adds up over both places; --no-color is kept; JSON is ASCII."""
    done = call("-v", "say", "-v", "--no-color", "--json")

    assert json.loads(done.stdout) == {"verbosity": 2, "colour": False, "text": "✓\x1b"}
    assert done.stdout.isascii()
    assert done.stderr == "told\n"
