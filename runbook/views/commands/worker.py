"""`runbook worker`: a service that only works off the queue."""

import os
from contextlib import closing
from functools import partial

import click

from runbook.errors import RunbookError
from runbook.views import options
from runbook.views.commands.serve import ServiceLog, called, command_of, keep_to, standing_by
from runbook.views.configured import settings_for, state_place
from runbook.views.tracing import check_traces

_RUNS_AT_ONCE = 4
_SLICE_HOSTS = 100


@click.command("worker")
@click.option(
    "--runs-at-once",
    type=click.IntRange(min=1, max=100),
    default=_RUNS_AT_ONCE,
    show_default=True,
    help="How many runs go on here at once.",
)
@click.option(
    "--slice-hosts",
    type=click.IntRange(min=1),
    default=_SLICE_HOSTS,
    show_default=True,
    help="A run of more hosts is cut into slices, which all machines work off.",
)
@options.output
def worker_command(runs_at_once: int, slice_hosts: int, output: options.Output) -> None:
    r"""Work off the queue of other machines, until stopped.

    For machines beside the one that runs `runbook serve`, on one database: it keeps no schedules and
    takes no alerts, but starts the runs they asked for, and goes on with those of a machine that died.
    It is told to stop as `runbook serve` is. The setting `journal` names the database.

    \b
    Example:
      runbook worker --runs-at-once 8
    """
    from runbook.journal.opening import open_journal  # noqa: PLC0415 -- which --help needs not
    from runbook.schedule.approvals import Approvals  # noqa: PLC0415
    from runbook.schedule.intake import Intake  # noqa: PLC0415
    from runbook.schedule.pause import Switch  # noqa: PLC0415
    from runbook.schedule.queue import Queue  # noqa: PLC0415
    from runbook.schedule.service import Service  # noqa: PLC0415
    from runbook.schedule.state import opened  # noqa: PLC0415

    settings = settings_for()
    place = state_place(settings)
    if not isinstance(place, str):
        raise RunbookError.of(
            "no-database",
            "a worker shares the queue of other machines, and the journal here is a file",
            hint="Name their database in the setting `journal`; alone, a machine has `runbook serve`.",
        )
    check_traces(os.environ)
    log = ServiceLog(json=output.json)
    with (
        opened(place) as state,
        closing(open_journal(settings.journal)) as journal,
        standing_by(settings.ansible_config) as standby,
    ):
        service = Service(
            schedules=(),
            queue=Queue(state),
            intake=Intake(state),
            approvals=Approvals(state),
            switch=Switch(state),
            journal=journal,
            command=partial(command_of, slice_hosts=slice_hosts),
            log=log,
            runs_at_once=runs_at_once,
            begin=standby.begin,
            lives=state.lives,
        )
        state.show(service.shown)
        with called(service, place, log) as crew:
            keep_to(service, "worker", (), crew)
