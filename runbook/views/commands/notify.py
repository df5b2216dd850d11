"""`runbook notify`: whether messages arrive, and which did."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runbook.errors import RunbookError
from runbook.views import options
from runbook.views.configured import settings_for
from runbook.views.notifying import outbox_of, state_of, was_anything_told
from runbook.views.output import write, write_json
from runbook.views.safe_text import printable

if TYPE_CHECKING:
    from runbook.notify.outbox import Message

EXIT_UNDELIVERED = 1


@click.group("notify", context_settings={"help_option_names": ["-h", "--help"]})
def notify_group() -> None:
    r"""Tell people what happens in runs.

    The setting `notify` names a file of targets and tiers; `runbook serve` tells them.

    \b
    Example:
      runbook notify test
    """


@notify_group.command("test")
@click.argument("names", metavar="[TARGET]...", nargs=-1)
@options.output
def notify_test_command(names: tuple[str, ...], output: options.Output) -> int:
    r"""Send one message to each target, now.

    TARGET is the name of one; all of them without. The exit code is 1 if one could not be reached,
    2 if the file is unsound.

    \b
    Example:
      runbook notify test team-chat
    """
    from runbook.notify.reading import load_plan  # noqa: PLC0415 -- which --help needs not
    from runbook.notify.sender import DeliveryError, require_apprise, send  # noqa: PLC0415
    from runbook.notify.wording import trial_words  # noqa: PLC0415
    from runbook.spec.validation import did_you_mean  # noqa: PLC0415

    plan = load_plan(_file())
    for name in names:
        if name not in plan.targets:
            raise RunbookError.of(
                "unknown-target",
                f'there is no target "{name}"',
                hint=did_you_mean(name, plan.targets) or f"There are {', '.join(plan.targets)}.",
            )
    require_apprise()
    problems: dict[str, str | None] = {}
    for name in names or plan.targets:
        try:
            send(plan.targets[name], trial_words(plan, name))
        except DeliveryError as error:
            problems[name] = str(error)
        else:
            problems[name] = None
        if not output.json:
            why = problems[name]
            write(printable(f"{name}: " + ("delivered" if why is None else f"not reached: {why}")))
    if output.json:
        told = [
            {"target": name, "delivered": why is None, "reason": why}
            for name, why in problems.items()
        ]
        write_json({"notify": plan.name, "targets": told})
    return EXIT_UNDELIVERED if any(problems.values()) else 0


@notify_group.command("log")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True,
              help="How many of the newest messages.")  # fmt: skip
@options.output
def notify_log_command(limit: int, output: options.Output) -> None:
    r"""List what was told to whom, newest first, and what could not be delivered yet.

    \b
    Example:
      runbook notify log
    """
    settings = settings_for()
    messages: list[Message] = []
    if was_anything_told(settings):
        with outbox_of(settings) as outbox:
            messages = outbox.messages(limit)
    if output.json:
        write_json({"messages": [_document(one) for one in messages]})
        return
    for one in messages:
        write(printable(_line(one)))
    if not messages:
        write("Nothing was told to anybody yet.")


def _file() -> Path:
    path = settings_for().notify
    if path is None:
        raise RunbookError.of(
            "no-notify",
            "no file of notifications is set",
            hint='Name it in runbook.toml (notify = "notify.yml"), or as RUNBOOK_NOTIFY.',
        )
    return path


def _line(message: "Message") -> str:
    when = f"{_moment(message.at):%Y-%m-%d %H:%M:%S%z}"
    said = message.body.partition("\n")[0]
    return f"{when} {message.target}: {state_of(message)}: {message.title}: {said}"


def _document(message: "Message") -> dict[str, object]:
    return {
        "at": _moment(message.at).isoformat(),
        "target": message.target,
        "incident": message.incident,
        "kind": message.kind,
        "title": message.title,
        "body": message.body,
        "state": message.state,
        "attempts": message.attempts,
        "reason": message.told or None,
    }


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, tz=UTC).astimezone()
