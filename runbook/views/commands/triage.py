"""`runbook triage`: which runbook fits what is wrong."""

import click

from runbook.model.event import Mode
from runbook.views import options
from runbook.views.commands.run import no_host
from runbook.views.configured import settings_for
from runbook.views.wish import Wish


@click.command("triage")
@click.argument("symptom", default="", metavar="[SYMPTOM]")
@options.host
@options.target
@options.output
def triage_command(
    symptom: str, host: str | None, target: options.Aim, output: options.Output
) -> int:
    r"""Find out which runbook fits what is wrong.

    The opening checks of all runbooks whose symptoms match, or of all there are, are looked at
    once, in one round trip; nothing is changed, and nothing is written to the journal. Those that
    found something wrong are listed with the best fit first, with what was seen and expected. At a
    terminal, typing its number runs one.

    SYMPTOM is a word or two, or a whole error message in quotes. The exit code is 1 where something
    is wrong, 4 where nothing could be told, unless a runbook is run: then it is that of the run.

    \b
    Examples:
      runbook triage --host web1
      runbook triage --host prod 502
      runbook triage --host prod "upstream timed out while reading response header"
    """
    if not host:
        raise no_host("runbook triage")
    from runbook.views import triaging  # noqa: PLC0415 -- only where it is carried out

    settings = settings_for(target.flags)
    wish = Wish(mode=Mode.DIAGNOSE, aim=target, output=output)
    return triaging.start(host, " ".join(symptom.split()), wish, settings)
