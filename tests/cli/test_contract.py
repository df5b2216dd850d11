"""What other programs rely on: exit codes, and what goes to which stream."""

import json
import os
import pty
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from runbook import __version__
from runbook.views.cli import COMMANDS
from tests.acceptance.program import PROGRAM, Program

READ_ONLY = {
    "list": "list --json",
    "show": "show loop --json",
    "lint": "lint --json",
    "history": "history --json",
    "report": "report last --json",
    "stats": "stats loop --json",
    "settings": "settings --json",
}


def on_terminal(program: Program, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run with standard output and error on a terminal; return the exit code and what it shows."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*PROGRAM, *arguments],
        cwd=program.folder,
        env={**os.environ, **program.environment, "RUNBOOK_HOME": str(program.home), **environment},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux says EIO once the other side has been closed.
                break
            if not part:
                break
            shown += part
    os.close(ours)
    return process.returncode, shown.decode()


def test_alone_it_prints_the_help(program: Program) -> None:
    """Without arguments the help goes to standard output, exit code 0."""
    done = program()

    assert (done.code, done.stderr) == (0, "")
    assert done.stdout == program("--help").stdout == program("-h").stdout


def test_version_is_the_packages(program: Program) -> None:
    """`--version` names the program and its version."""
    assert program("--version").stdout == f"runbook {__version__}\n"


@pytest.mark.parametrize("command", [name for section in COMMANDS.values() for name in section])
def test_every_command_explains_itself(command: str, program: Program) -> None:
    """Each command has the one line of the table, and an example of a call, in its help."""
    said = next(section[command][1] for section in COMMANDS.values() if command in section)

    done = program(command, "--help")

    assert done.code == 0, done.stderr
    assert " ".join(said.split()) in " ".join(done.stdout.split())
    assert re.search(rf"^ +runbook {command}\b", done.stdout, re.MULTILINE)
    assert "\\b" not in done.stdout


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("lst", 'There is no command "lst". Did you mean "list"?'),
        ("qqq", 'There is no command "qqq".'),
        ("--frobnicate", "No such option"),
        ("list --jsn", "--json"),
        ("show", "Missing argument"),
        ("graph loop --format png", "'png' is not one of"),
        ("graph", "Missing argument 'NAME'"),
        ("graph lop", 'Did you mean "loop"?'),
        ("graph loop --host web1", "give --run"),
        ("graph loop --only-taken", "give --run"),
        ("graph --run 1234", 'no run has an id that starts with "1234"'),
        ("history --verdict good", "'good' is not one of"),
        ("history --limit x", "'x' is not a valid integer"),
        ("history --since yesterday", '"yesterday" is no time'),
        ("show lop", 'Did you mean "loop"?'),
        ("show nowhere.yml", "cannot read nowhere.yml"),
        ("lint nowhere.yml", "cannot read nowhere.yml"),
        ("lint .", "there is no runbook to check"),
        ("report 1234", 'no run has an id that starts with "1234"'),
        ("report last", "there is no last run"),
        ("completion tcsh", "'tcsh' is not one of"),
    ],
)
def test_bad_usage_is_told_with_exit_code_2(call: str, words: str, program: Program) -> None:
    """It is said what is wrong; there is no traceback, and no state is left behind."""
    done = program(*call.split())

    assert done.code == 2
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert not program.home.exists()


@pytest.mark.parametrize("command", READ_ONLY)
def test_json_is_one_document_and_nothing_else(command: str, program: Program) -> None:
    """With `--json`, whatever happens, standard output is one document."""
    done = program(*READ_ONLY[command].split())

    assert json.loads(done.stdout)
    assert json.loads(program(*READ_ONLY[command].split(), "--no-such-option").stdout)["errors"]


def test_errors_are_in_the_json_too(program: Program) -> None:
    """With `--json` an error is on standard error for people, on standard output for programs."""
    done = program("show", "lop", "--json")

    assert done.code == 2
    assert done.document["exit_code"] == 2
    [error] = done.document["errors"]
    assert error["reference"] == "unknown-runbook"
    assert error["hint"] == 'Did you mean "loop"?'
    assert "error: unknown-runbook" in done.stderr


def test_lint_fails_for_errors_and_not_for_warnings(program: Program) -> None:
    """A sound runbook gives 0, one with errors 2, one with warnings 0."""
    sound = program.folder / "sound.yml"
    sound.write_text(
        "runbook: sound\ntitle: T\nsteps:\n"
        "  - check: site\n    title: S\n    probe: {tcp: {port: 80}}\n"
        "    next: {passed: end(healthy), failed: end(unresolved)}\n"
    )
    warned = program.folder / "warned.yml"
    warned.write_text(
        "runbook: warned\ntitle: T\nparams: {folder: {type: string}}\nsteps:\n"
        "  - check: site\n    title: S\n    read_only: true\n"
        '    task: {ansible.builtin.shell: "ls {{ folder }}"}\n'
        "    passes: site.rc == 0\n"
        "    next: {passed: end(healthy), failed: end(unresolved)}\n"
    )

    assert program("lint", "sound.yml").stdout == "No problems in 1 runbook.\n"
    advised = program("lint", "warned.yml")
    assert (advised.code, "1 warning in 1 runbook." in advised.stdout) == (0, True)
    assert "warning: " in advised.stdout
    assert program("lint", ".").code == 0
    assert program("lint").code == 2


def test_colour_is_for_terminals_alone(program: Program) -> None:
    """A terminal gets colour; a pipe, `NO_COLOR`, `--no-color` and a dumb terminal do not."""
    code, coloured = on_terminal(program, "show", "lop", TERM="xterm", NO_COLOR="")
    assert (code, "\x1b[31m" in coloured or "\x1b[1m" in coloured) == (2, True)

    plain = program("show", "lop").stderr
    assert "\x1b" not in plain
    for arguments, environment in (
        (("show", "lop"), {"TERM": "xterm", "NO_COLOR": "1"}),
        (("--no-color", "show", "lop"), {"TERM": "xterm", "NO_COLOR": ""}),
        (("show", "lop", "--no-color"), {"TERM": "xterm", "NO_COLOR": ""}),
        (("show", "lop"), {"TERM": "dumb", "NO_COLOR": ""}),
    ):
        assert on_terminal(program, *arguments, **environment)[1].replace("\r", "") == plain


def test_lint_is_in_colour_on_a_terminal(program: Program) -> None:
    """What is found goes to standard output, in the same colours."""
    _, coloured = on_terminal(program, "lint", TERM="xterm", NO_COLOR="")
    _, plain = on_terminal(program, "lint", "--no-color", TERM="xterm", NO_COLOR="")

    assert "\x1b[" in coloured
    assert "\x1b" not in plain
    assert "unknown-step" in plain


def test_a_reader_that_goes_away_is_no_error(program: Program) -> None:
    """A closed pipe ends the program quietly, with the exit code of SIGPIPE."""
    ours, theirs = os.pipe()
    os.close(ours)
    for arguments in (("show", "loop"), ("--help",), ("list", "--json")):
        done = subprocess.run(
            [*PROGRAM, *arguments],
            env={**os.environ, **program.environment},
            stdout=theirs,
            stderr=subprocess.PIPE,
            check=False,
        )
        assert (done.returncode, done.stderr) == (141, b"")
    os.close(theirs)


def test_a_full_disk_is_told(program: Program) -> None:
    """Output that cannot be written is an error of its own, not a result and no traceback."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*PROGRAM, "list"],
            env={**os.environ, **program.environment},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert done.returncode == 74
    assert done.stderr == (
        "error: output-unwritable\n\ncannot write to standard output: No space left on device\n"
    )


def test_closed_output_is_no_error(program: Program) -> None:
    """Standard output closed beforehand loses the result and nothing else."""
    command = f'"{sys.executable}" -m runbook list >&-'
    done = subprocess.run(
        ["sh", "-c", command],
        env={**os.environ, **program.environment},
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, b"")


def test_ascii_is_enough(program: Program) -> None:
    """Where output cannot hold our signs, plain ones stand in for them."""
    done = subprocess.run(
        [*PROGRAM, "graph", "loop"],
        env={**os.environ, **program.environment, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )

    assert done.returncode == 0
    assert b"`- failed, unknown v\nbranch end" in done.stdout


def test_text_of_runbooks_cannot_steer_the_terminal(program: Program) -> None:
    """Control characters and marks that reorder are escaped, in results and in errors."""
    bad = r'"\e]0;x\a\u202e"'
    (program.folder / "hostile.yml").write_text(
        f"runbook: hostile\ntitle: {bad}\nsymptoms: [{bad}]\ndescription: {bad}\n"
        f"params: {{thing: {{type: string, default: {bad}, title: {bad}}}}}\n"
        f"causes: {{c: {{title: {bad}}}}}\nsteps:\n"
        f"  - check: site\n    title: {bad}\n    probe: {{tcp: {{port: 80}}}}\n    cause: c\n"
        "    next: {passed: end(healthy), failed: end(unresolved)}\n"
    )
    (program.folder / "broken.yml").write_text("runbook: broken\ntitle: T\n\u202ebad\u202d: 1\n")

    for call in ("show hostile.yml", "graph hostile.yml", "lint broken.yml"):
        done = program(*call.split())
        assert "\\x1b" in done.stdout or "\\u202e" in done.stdout, call
        assert not {"\x1b", "\u202e", "\a"} & {*done.stdout, *done.stderr}, call
    shown = program("graph", "hostile.yml", "--format", "mermaid").stdout
    assert not {"\x1b", "\u202e"} & {*shown}


def test_looking_leaves_nothing_behind(program: Program) -> None:
    """Commands that only look create neither a journal nor its folder."""
    for call in ("list", "show loop", "lint", "history", "report last", "settings", "schema"):
        program(*call.split())

    assert not program.home.exists()


def test_schema_is_one_document_that_stands_alone(program: Program) -> None:
    """The printed schema accepts and refuses what the shipped ones do, with no other file."""
    import yaml  # noqa: PLC0415
    from jsonschema import Draft202012Validator  # noqa: PLC0415

    schema = program("schema").document
    example = yaml.safe_load((Path(__file__).parents[1] / "runbooks/all-kinds.yml").read_text())

    Draft202012Validator.check_schema(schema)
    assert list(Draft202012Validator(schema).iter_errors(example)) == []
    example["steps"][0]["probe"]["http"]["ulr"] = "x"
    assert list(Draft202012Validator(schema).iter_errors(example))
    path = Path(program("schema", "--path").stdout.strip())
    assert json.loads(path.read_text())["$id"] == schema["$id"]


def test_settings_name_their_sources(program: Program) -> None:
    """Each value is shown with the source that gave it."""
    (program.folder / "runbook.toml").write_text("# ours\nforks = 7\n")

    shown = program("settings", "--json").document

    assert shown["forks"] == {"value": 7, "origin": f"{program.folder}/runbook.toml:2:1"}
    assert shown["library"]["origin"] == "environment variable RUNBOOK_LIBRARY"
    assert shown["home"] == {
        "value": str(program.home),
        "origin": "environment variable RUNBOOK_HOME",
    }


def test_a_folder_of_everybody_is_passed_over_with_a_warning(program: Program) -> None:
    """What others may have put there is not used; that is said on standard error."""
    (program.folder / "inventory").write_text("web1\n")
    program.folder.chmod(program.folder.stat().st_mode | stat.S_IWOTH)

    done = program("settings", "--json")

    assert done.document["inventory"]["value"] == []
    assert "warning: unsafe-folder" in done.stderr
