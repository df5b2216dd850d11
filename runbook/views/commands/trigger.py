"""`runbook trigger` and `runbook queue`: asking the service for a run, and what it was asked for."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import click

from runbook.views import options
from runbook.views.configured import settings_for, state_place
from runbook.views.output import tell, write, write_json
from runbook.views.safe_text import printable

if TYPE_CHECKING:
    from runbook.schedule.intake import Refused
    from runbook.schedule.requests import Kept
    from runbook.settings import Settings


@click.command("trigger")
@click.argument("name", metavar="NAME", shell_complete=options.complete_runbooks)
@options.host
@click.option(
    "--set",
    "given",
    multiple=True,
    metavar="KEY=VALUE",
    help="Value of a param; may be given more than once.",
)
@click.option("--diagnose", is_flag=True, help="Look only; fix nothing.")
@click.option(
    "--overlap",
    type=click.Choice(["queue", "skip", "cancel"]),
    default="queue",
    help="What becomes of it while an earlier one for the same runbook and hosts is under way: "
    "it waits, is left out, or ends the earlier one.",
)
@click.option(
    "--key",
    metavar="TEXT",
    help="A name for this request: who asks twice with the same one has asked once.",
)
@options.output
def trigger_command(
    name: str,
    *,
    host: str | None,
    given: tuple[str, ...],
    diagnose: bool,
    overlap: str,
    key: str | None,
    output: options.Output,
) -> None:
    r"""Ask the service for a run, which nobody watches.

    The request goes into the queue that schedules and alerts go through; `runbook serve` starts it,
    exactly once, within the policy (source `trigger`). `runbook queue` says what has become of it.

    \b
    Examples:
      runbook trigger fix-502 --host web1
      runbook trigger disk-full --host db --key deploy-4711
    """
    from runbook.model.policy import Source  # noqa: PLC0415 -- which --help needs not
    from runbook.schedule.queue import Queue  # noqa: PLC0415
    from runbook.schedule.requests import Request  # noqa: PLC0415
    from runbook.schedule.state import opened  # noqa: PLC0415
    from runbook.schedule.timetable import Overlap  # noqa: PLC0415
    from runbook.views.commands.run import no_host  # noqa: PLC0415
    from runbook.views.running import operator_name  # noqa: PLC0415

    if not host:
        raise no_host(f"runbook trigger {name}")
    settings = settings_for()
    _check(name, given, settings)
    now = datetime.now(tz=UTC)
    request = Request(
        key=f"trigger {key or uuid4().hex}",
        source=Source.TRIGGER,
        asker=operator_name(),
        runbook=name,
        pattern=host,
        line=f"trigger {name} {host}",
        due=now,
        diagnose=diagnose,
        given=given,
        overlap=Overlap(overlap),
    )
    with opened(state_place(settings)) as state:
        queue = Queue(state)
        number = queue.put(request, now)
        [kept] = queue.of_key(request.key)
    if output.json:
        write_json({**_document(kept), "new": number is not None})
    elif number is None:
        write(f"It was asked for before: {printable(_line(kept))}")
    else:
        write(f"Request {kept.id} is queued; `runbook serve` starts it.")


@click.command("queue")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="How many requests, the newest ones.",
)
@options.output
def queue_command(limit: int, output: options.Output) -> None:
    r"""List what the service was asked for, newest first.

    By schedules, alerts and `runbook trigger`: what waits, what goes on, what came of it, and what
    was left out and why; then the alerts that nothing could be started for.

    \b
    Example:
      runbook queue
    """
    from runbook.schedule.intake import Intake  # noqa: PLC0415 -- which --help needs not
    from runbook.schedule.queue import Queue  # noqa: PLC0415
    from runbook.schedule.state import opened  # noqa: PLC0415
    from runbook.views.words import count  # noqa: PLC0415

    with opened(state_place(settings_for())) as state:
        found = Queue(state).latest(limit)
        refused = Intake(state).refused(limit)
    if output.json:
        write_json(
            {
                "requests": [_document(kept) for kept in found],
                "refused": [_refused_document(one) for one in refused],
            }
        )
        return
    if not (found or refused):
        tell("Nothing was asked for yet.")
    for kept in found:
        write(printable(_line(kept)))
    for one in refused:
        about = f"alert {one.fingerprint}, by {one.hook}, told {count(one.times, 'time')}"
        write(printable(f"    -  refused   {about}: {one.reason}"))


def _check(name: str, given: tuple[str, ...], settings: "Settings") -> None:
    """Raise RunbookError where the run could not begin, or would have to keep a secret."""
    from runbook.spec.loading import load  # noqa: PLC0415 -- which --help needs not
    from runbook.views.given import parse_settings, refuse_in_queue  # noqa: PLC0415

    runbook = load(name, settings.library)
    parse_settings(given, runbook.params)
    refuse_in_queue(given, runbook)


def _line(kept: "Kept") -> str:
    request = kept.request
    stage = kept.stage.replace("_", " ")
    about = f"{request.runbook} on {request.pattern}" if request.runbook else "no run"
    joined = f", and {kept.joined} joined it" if kept.joined else ""
    told = f": {kept.told}" if kept.told else ""
    run = f", run {kept.run}" if kept.run else ""
    by = f"{request.source} {request.asker}"
    return f"{kept.id:>5}  {stage:<8}  {about}, by {by}{joined}{run}{told}"


def _refused_document(one: "Refused") -> dict[str, object]:
    return {
        "hook": one.hook,
        "alert": one.fingerprint,
        "reason": one.reason,
        "times": one.times,
        "last_at": one.at.isoformat(timespec="seconds"),
    }


def _document(kept: "Kept") -> dict[str, object]:
    request = kept.request
    return {
        "request": kept.id,
        "stage": kept.stage.value,
        "told": kept.told,
        "run": kept.run or None,
        "joined": kept.joined,
        "source": request.source.value,
        "by": request.asker,
        "runbook": request.runbook,
        "host": request.pattern,
        "mode": "diagnose" if request.diagnose else "run",
        "due": request.due.isoformat(timespec="seconds"),
    }
