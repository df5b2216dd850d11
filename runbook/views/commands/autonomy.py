"""`runbook autonomy`: what fixes have earned, and why they have not."""

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from runbook.errors import RunbookError
from runbook.views import options
from runbook.views.configured import settings_for
from runbook.views.output import write, write_json
from runbook.views.safe_text import printable

if TYPE_CHECKING:
    from runbook.driver.standings import Row


@click.command("autonomy")
@options.output
def autonomy_command(output: options.Output) -> None:
    r"""Show what each fix has earned, and why.

    A rule of the policy (setting `policy`) may say after how many fixes in a row that people approved
    and that were seen to have worked it stops asking. One that was not seen to have worked, and it
    asks again. All of it is worked out from the journal.

    \b
    Example:
      runbook autonomy
    """
    from runbook.driver.standings import standings  # noqa: PLC0415 -- which --help needs not
    from runbook.spec.policy_file import load_policy  # noqa: PLC0415
    from runbook.views.archive import journal_to_read  # noqa: PLC0415

    settings = settings_for()
    if settings.policy is None:
        raise RunbookError.of(
            "no-policy",
            "no policy is set",
            hint='Name it in runbook.toml (policy = "policy.yml"), or as RUNBOOK_POLICY.',
        )
    policy = load_policy(settings.policy)
    with closing(journal_to_read(settings)) as journal:
        rows = standings(policy, journal, datetime.now(tz=UTC))
    if output.json:
        write_json({"policy": policy.name, "fixes": [_document(row) for row in rows]})
        return
    for row in rows:
        write(printable(_line(row)))
    if not rows:
        write(
            "No rule lets a fix earn its autonomy."
            if all(rule.autonomy is None for rule in policy.rules)
            else "No fix that could earn its autonomy was done yet."
        )


def _line(row: "Row") -> str:
    where = f"group {row.group}" if row.group else "all hosts"
    text = (
        f"{row.answer:<5}{row.runbook} {row.fix}, {where}: {row.standing.verified} of {row.after}"
        " in a row approved and verified"
    )
    last = row.standing.failure
    if last is not None:
        when = datetime.fromtimestamp(last.at, tz=UTC).astimezone()
        text += f" since {when:%Y-%m-%d %H:%M} ({last.host}, {last.why}; runbook report {last.run})"
    return f"{text}; rule “{row.rule}”"


def _document(row: "Row") -> dict[str, object]:
    last = row.standing.failure
    return {
        "rule": row.rule,
        "runbook": row.runbook,
        "fix": row.fix,
        "group": row.group or None,
        "answer": row.answer.value,
        "verified": row.standing.verified,
        "after": row.after,
        "failure": None
        if last is None
        else {
            "run": last.run,
            "host": last.host,
            "at": datetime.fromtimestamp(last.at, tz=UTC).isoformat(),
            "why": last.why,
        },
    }
