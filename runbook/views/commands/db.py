"""`runbook db`: the tables of a journal on Postgres."""

from typing import TYPE_CHECKING

import click

from runbook.views import options
from runbook.views.configured import settings_for
from runbook.views.output import write, write_json
from runbook.views.safe_text import printable

if TYPE_CHECKING:
    from runbook.journal.postgres_upgrade import Tables

EXIT_UNFIT = 1


@click.group("db", context_settings={"help_option_names": ["-h", "--help"]})
def db_group() -> None:
    r"""Make and upgrade the tables of a journal on Postgres.

    The setting `journal` names the database. A journal in a file needs none of this.

    \b
    Example:
      runbook db upgrade
    """


@db_group.command("status")
@options.output
def db_status_command(output: options.Output) -> int:
    r"""Say whether this version can work with the tables there are; nothing is changed.

    The exit code is 1 where it cannot, 2 where the database cannot be reached.

    \b
    Example:
      runbook db status
    """
    from runbook.journal.postgres_upgrade import look_at  # noqa: PLC0415 -- an extra

    url = _url(output)
    if url is None:
        return 0
    tables = look_at(url)
    if output.json:
        write_json(_document(tables))
    else:
        write(_said(tables))
    return 0 if tables.fit else EXIT_UNFIT


@db_group.command("upgrade")
@click.option(
    "--finish",
    is_flag=True,
    help="Take away what only earlier versions use: once no machine has one of them any more.",
)
@options.output
def db_upgrade_command(finish: bool, output: options.Output) -> int:
    r"""Make the tables, or bring them to what this version needs.

    All steps are taken, or none, and after them the changes of Procrastinate's tables, one by one.
    Runs under way go on: programs of the version before work with the upgraded tables too. So upgrade
    the tables first, then the program on one machine after the other, and then say --finish where
    `runbook db status` names it.

    \b
    Examples:
      runbook db upgrade
      runbook db upgrade --finish
    """
    from runbook.journal.postgres_upgrade import look_at, upgrade  # noqa: PLC0415 -- an extra

    url = _url(output)
    if url is None:
        return 0
    before = upgrade(url, closing=finish)
    after = look_at(url)
    if output.json:
        write_json({**_document(after), "steps_before": before.taken})
    elif before.missing:
        write(f"Took {before.missing} step{'s' * (before.missing != 1)}. {_said(after)}")
    else:
        write(_said(after))
    return 0 if after.fit else EXIT_UNFIT


def _url(output: options.Output) -> str | None:
    """Return where the database is; None, which is said, where the journal is a file."""
    from runbook.journal.opening import require_psycopg  # noqa: PLC0415 -- which --help needs not

    place = settings_for().journal
    if isinstance(place, str):
        require_psycopg()
        return place
    if output.json:
        write_json({"file": str(place)})
    else:
        write(printable(f"The journal is the file {place}, which is upgraded by itself."))
    return None


def _said(tables: "Tables") -> str:
    jobs = tables.jobs
    if tables.fit and jobs.closing:
        return (
            f"The tables are at step {tables.taken}, and this version of runbook works with them. Of"
            f" Procrastinate's tables {jobs.closing} change{'s are' if jobs.closing > 1 else ' is'} left"
            " until no machine has an earlier version: runbook db upgrade --finish"
        )
    if jobs.missing and not tables.missing:
        return (
            f"The tables are at step {tables.taken}, but Procrastinate's lack {jobs.missing}"
            f" change{'s' * (jobs.missing != 1)} that this machine's version needs: runbook db upgrade"
            + (" --finish, once no machine has an earlier one" if jobs.closing_first else "")
        )
    if tables.fit and tables.taken > tables.known:
        return (
            f"The tables are at step {tables.taken}, those of a later version of runbook; this one"
            f" knows {tables.known} and works with them."
        )
    if tables.fit:
        return f"The tables are at step {tables.taken}, as this version of runbook has them."
    if tables.oldest > tables.known:
        return (
            f"The tables are at step {tables.taken}, and this version of runbook, which knows"
            f" {tables.known}, is too old for them. Upgrade it on this machine."
        )
    there = f"are at step {tables.taken}" if tables.taken else "are not there yet"
    return (
        f"The tables {there}; this version of runbook needs step {tables.known}: runbook db upgrade"
    )


def _document(tables: "Tables") -> dict[str, object]:
    jobs = tables.jobs
    return {
        "steps": tables.taken,
        "known": tables.known,
        "oldest": tables.oldest,
        "fit": tables.fit,
        "jobs": {"taken": jobs.taken, "missing": jobs.missing, "closing": jobs.closing},
    }
