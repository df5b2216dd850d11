"""What a start costs: an on-call engineer and a shell's Tab key wait for it."""

import os
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

ROUNDS = 5
PROGRAM = (sys.executable, "-m", "runbook")


def _once(command: Sequence[str], environment: Mapping[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def cost_ms(environment: Mapping[str, str], *commands: Sequence[str]) -> list[float]:
    """Return the CPU time of each command in milliseconds, the least of some rounds.

    Other programs on the machine can only make it look larger, so the least is the nearest to it.
    The commands take turns, so that a busy while is one for all of them.
    """
    for command in commands:
        _once(command, environment)  # compiles what is not compiled yet
    rounds = [[_once(command, environment) for command in commands] for _ in range(ROUNDS)]
    return [1000 * min(each) for each in zip(*rounds, strict=True)]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Give an environment as users have it: compiled modules are kept."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {
        **kept,
        "RUNBOOK_HOME": str(tmp_path / "home"),
        "PYTHONPYCACHEPREFIX": str(tmp_path / "compiled"),
    }


def test_help_and_list_cost_little_more_than_python(environment: dict[str, str]) -> None:
    """`runbook --help` and `runbook list` use at most 100 ms of CPU more than `python -c pass`."""
    bare, shown, listed = cost_ms(
        environment,
        (sys.executable, "-c", "pass"),
        (*PROGRAM, "--help"),
        (*PROGRAM, "list"),
    )

    assert shown - bare < 100
    assert listed - bare < 100


def _long_runbook() -> str:
    """Return a sound runbook of 300 lines."""
    lines = [
        "runbook: long",
        "title: A long way",
        "params: {url: {type: string}}",
        "causes: {broken: {title: It is broken}}",
        "steps:",
    ]
    number = 0
    while len(lines) + 5 + 7 <= 300:
        lines += [
            f"  - check: look_{number}",
            f"    title: Number {number} answers",
            f'    probe: {{http: {{url: "{{{{ url }}}}/{number}"}}}}',
            f"    passes: look_{number}.answered and look_{number}.status == 200",
            f"    next: {{passed: look_{number + 1}, failed: mend}}",
        ]
        number += 1
    lines[-1] = "    next: {passed: end(healthy), failed: mend}"
    lines += [
        "  - fix: mend",
        "    title: Mend it",
        "    cause: broken",
        "    impact: None",
        "    tasks: [{name: Restart, ansible.builtin.service: {name: web, state: restarted}}]",
        "    verify: {symptom: look_0, within: 10s}",
    ]
    return "\n".join([*lines, *["# The rest is silence."] * (300 - len(lines))]) + "\n"


def test_lint_costs_little(environment: dict[str, str], tmp_path: Path) -> None:
    """Linting a runbook of 300 lines in a fresh process takes less than 300 ms of CPU in all."""
    path = tmp_path / "long.yml"
    path.write_text(_long_runbook())
    assert len(path.read_text().splitlines()) == 300

    [linted] = cost_ms(environment, (*PROGRAM, "lint", str(path)))

    assert linted < 300


@pytest.mark.parametrize(
    ("call", "kept_out"),
    [
        (["--help"], {"yaml", "runbook.settings", "runbook.model"}),
        (["list"], {"jsonschema", "jinja2", "runbook.model.definition", "sqlite3"}),
        (["run", "--help"], {"yaml", "runbook.journal", "runbook.model.event"}),
        (["lint", "LONG"], {"sqlite3"}),
        (["history"], {"yaml", "jsonschema", "jinja2"}),
    ],
)
def test_heavy_things_stay_out(
    call: list[str], kept_out: set[str], environment: dict[str, str], tmp_path: Path
) -> None:
    """No command that only looks imports Ansible or rich, nor what it has no use for."""
    path = tmp_path / "long.yml"
    path.write_text(_long_runbook())
    arguments = [str(path) if word == "LONG" else word for word in call]
    program = (
        "import sys\nfrom runbook.views.cli import main\n"
        f"try:\n    main({arguments!r})\n"
        "except SystemExit as stop:\n    assert not stop.code\n"
        "print(*sys.modules, file=sys.stderr)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    imported = set(done.stderr.split())
    assert not imported & ({"ansible", "ansible_runner", "rich"} | kept_out)
