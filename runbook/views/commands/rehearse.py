"""`runbook rehearse`: what runbooks come to, without touching a host."""

from typing import TYPE_CHECKING

import click

from runbook.views import options
from runbook.views.configured import settings_for
from runbook.views.output import write, write_json
from runbook.views.safe_text import printable

if TYPE_CHECKING:
    from runbook.rehearsal.cases import Case, Rehearsal
    from runbook.rehearsal.playing import Played

EXIT_DIFFERENT = 1


@click.command("rehearse")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=options.complete_runbooks)
@options.output
def rehearse_command(names: tuple[str, ...], output: options.Output) -> int:
    r"""Play runbooks against canned outcomes; no host is touched.

    NAME.rehearsal.yml beside a runbook holds cases: what each step comes to, and what the run has
    to come to. The decisions are those of a real run. Without NAMEs the whole library is rehearsed.
    The exit code is 1 if a case comes out otherwise: - is what was expected, + what came instead.
    With -v each case shows its walk, and its questions as whoever answers them would be told.

    \b
    Examples:
      runbook rehearse
      runbook rehearse fix-502
      runbook rehearse fix-502 -v
    """
    from runbook.rehearsal.reading import find, read_rehearsal  # noqa: PLC0415 -- not for --help
    from runbook.views.rehearsed import walked  # noqa: PLC0415

    library = settings_for().library
    cases = [
        (rehearsal, case, *walked(rehearsal.runbook, case))
        for rehearsal in [read_rehearsal(path, library) for path in find(names, library)]
        for case in rehearsal.cases
    ]
    told = [(rehearsal, case, each) for rehearsal, case, played, _ in cases for each in played]
    if output.json:
        write_json({"rehearsals": [_document(*each) for each in told]})
    else:
        for rehearsal, case, played, walk in cases:
            for each in played:
                write("\n".join(_lines(rehearsal, case, each)))
            if output.verbosity:
                write("".join(f"    {line}\n" for line in walk))
    different = sum(not played.as_expected for _, _, played in told)
    if not output.json:
        write(f"{len(told)} rehearsed, {different} otherwise than expected.")
    return EXIT_DIFFERENT if different else 0


def _document(rehearsal: "Rehearsal", case: "Case", played: "Played") -> dict[str, object]:
    return {
        "runbook": rehearsal.runbook.name,
        "case": case.title,
        "host": played.host,
        "as_expected": played.as_expected,
        "difference": [] if played.as_expected else played.difference(),
    }


def _lines(rehearsal: "Rehearsal", case: "Case", played: "Played") -> list[str]:
    word = "as expected" if played.as_expected else "otherwise"
    host = f" ({played.host})" if len(case.hosts) > 1 else ""
    first = printable(f"{word:<13}{rehearsal.runbook.name}: {case.title}{host}")
    difference = [] if played.as_expected else played.difference()
    return [first, *(f"    {printable(line)}" for line in difference)]
