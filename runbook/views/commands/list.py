"""`runbook list`: what there is to run."""

import click

from runbook.spec.listing import Summary, summaries
from runbook.views import options
from runbook.views.configured import settings_for
from runbook.views.output import columns, tell, write, write_json
from runbook.views.safe_text import printable
from runbook.views.wrapping import wrapped

_LONG_ENOUGH = 3
"""How many characters a symptom needs to be looked for within a word of the filter."""


@click.command("list")
@click.argument("words", nargs=-1, metavar="[WORD]...")
@options.output
def list_command(words: tuple[str, ...], output: options.Output) -> None:
    r"""List the runbooks there are.

    With WORDs, only those whose name, title or symptoms have all of them. A WORD may be a whole
    error message in quotes: it matches where a symptom occurs in it.

    \b
    Examples:
      runbook list
      runbook list 502
      runbook list "connect() failed (111: Connection refused) while connecting to upstream"
    """
    settings = settings_for()
    found = [one for one in summaries(settings.library) if all(_has(one, word) for word in words)]
    if output.json:
        write_json({"runbooks": [_document(one) for one in found]})
        return
    if not found:
        looked = ", ".join(map(str, settings.library)) or "no folder: the setting library is empty"
        what = "no runbook has these words" if words else "there are no runbooks"
        tell(f"{what}; looked in {looked}")
        return
    width = max(len(one.name) for one in found)
    for one in found:
        title = printable(one.title) or "cannot be read: see `runbook lint`"
        lines = wrapped(f"{one.name:<{width}}  ", title, columns())
        if one.symptoms:
            symptoms = f"symptoms: {printable(', '.join(one.symptoms))}"
            lines += wrapped(f"{'':<{width}}  ", symptoms, columns())
        write("\n".join(lines))


def _has(one: Summary, word: str) -> bool:
    sought = word.casefold()
    symptoms = [symptom.casefold() for symptom in one.symptoms]
    return any(sought in text for text in (one.name, one.title.casefold(), *symptoms)) or any(
        len(symptom) >= _LONG_ENOUGH and symptom in sought for symptom in symptoms
    )


def _document(one: Summary) -> dict[str, object]:
    return {
        "name": one.name,
        "title": one.title,
        "symptoms": list(one.symptoms),
        "file": str(one.path),
    }
