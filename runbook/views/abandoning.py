"""`runbook resume RUN --abandon`: closing a run that nobody goes on with."""

from runbook.driver.launch import abandon
from runbook.driver.whole import slices_of, whole_run
from runbook.executor.leftovers import is_at_work
from runbook.journal import Journal, RunSummary
from runbook.model.verdict import Verdict
from runbook.views import output
from runbook.views.options import Output
from runbook.views.report_document import run_document
from runbook.views.running import operator_name
from runbook.views.words import say_hosts


def close(stopped: RunSummary, reason: str, wanted: Output, journal: Journal) -> None:
    """Close a run as it stands, with its slices, and say so; raise RunbookError."""
    slices = [one for one in slices_of(stopped, journal) if one.verdict in (None, Verdict.WAITING)]
    hosts = tuple(
        host
        for one in (*slices, stopped)
        for host in abandon(one, journal, who=operator_name(), reason=reason, at_work=is_at_work)
    )
    if wanted.json:
        told = whole_run(journal.find(stopped.id), journal)
        output.write_json(run_document(told.summary, told.entries))
        return
    freed = (
        f"aborted and free again: {say_hosts(list(hosts), most=10)}" if hosts else "no host open"
    )
    output.write(f"Run {stopped.id} is closed; {freed}.")
