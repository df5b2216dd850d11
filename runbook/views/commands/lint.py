"""`runbook lint`: whether runbooks are sound."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from runbook.errors import Problem, RunbookError, Severity
from runbook.settings import load_settings
from runbook.spec.library import check
from runbook.views import options, problems
from runbook.views.output import wants_colour, write, write_json

EXIT_UNSOUND = 2


@click.command("lint")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@options.output
def lint_command(paths: tuple[Path, ...], output: options.Output) -> int:
    r"""Check whether runbooks are sound.

    PATHs are runbook files, or folders of them; the whole library by default. All problems are
    shown at once. The exit code is 2 if there are errors; warnings leave it 0. Nothing on any host
    is touched, nor is Ansible needed.

    \b
    Examples:
      runbook lint
      runbook lint runbooks/fix-502.yml
    """
    library = load_settings().library
    for path in paths:
        if not path.exists():
            raise RunbookError.of("no-such-file", f"there is no file or folder {path}")
    found = check(paths or library, library)
    if output.json:
        write_json({"problems": [problems.document(problem) for problem in found]})
    else:
        colour = output.colour and wants_colour(sys.stdout)
        for problem in found:
            write(problems.render(problem, colour=colour) + "\n")
        write(_total(found))
    return EXIT_UNSOUND if any(one.severity is Severity.ERROR for one in found) else 0


def _total(found: Sequence[Problem]) -> str:
    errors = sum(problem.severity is Severity.ERROR for problem in found)
    warnings = len(found) - errors
    if not found:
        return "no problems"
    counts = [(errors, "error"), (warnings, "warning")]
    return ", ".join(f"{number} {noun}{'s' * (number > 1)}" for number, noun in counts if number)
