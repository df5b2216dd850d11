"""`runbook approvals`, `approve`, `deny` and `answer`: answering runs that nobody watches."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from runbook.views import options
from runbook.views.configured import settings_for, state_place
from runbook.views.output import tell, write, write_json
from runbook.views.safe_text import printable

if TYPE_CHECKING:
    from runbook.schedule.approvals import Approval
    from runbook.schedule.state import State


@click.command("approvals")
@options.output
def approvals_command(output: options.Output) -> None:
    r"""List what waits for somebody to decide.

    A run that nobody watches is suspended where the policy wants a person asked about a fix, and
    where its runbook asks a question or has something done by hand. The list says what is to be
    done where, why, and what was seen there.

    \b
    Example:
      runbook approvals
    """
    from runbook.schedule.approvals import Approvals  # noqa: PLC0415 -- which --help needs not

    with _state() as state:
        approvals = Approvals(state)
        approvals.expire(datetime.now(tz=UTC))
        waiting = approvals.open()
    if output.json:
        write_json({"approvals": [_document(one) for one in waiting]})
        return
    if not waiting:
        tell("Nothing waits for anybody.")
    for one in waiting:
        write("\n".join(printable(line) for line in _lines(one)))


@click.command("approve")
@click.argument("number", metavar="ID", type=int)
@click.option("--reason", default="", metavar="TEXT", help="Why; kept with the answer.")
@options.output
def approve_command(number: int, reason: str, output: options.Output) -> None:
    r"""Say yes to a fix that waits.

    Where the policy wants several people, each says so under a name of their own: that of the user,
    or of the person behind sudo. Once there are enough, `runbook serve` goes on with the run: it
    looks again, and does the fix only where it sees the same as before.

    \b
    Examples:
      runbook approve 7
      runbook approve 7 --reason 'seen in the graphs'
    """
    _answer(number, reason, output, yes=True)


@click.command("answer")
@click.argument("number", metavar="ID", type=int)
@click.argument("choice", metavar="CHOICE")
@click.option("--reason", default="", metavar="TEXT", help="Why; kept with the answer.")
@options.output
def answer_command(number: int, choice: str, reason: str, output: options.Output) -> None:
    r"""Answer a question that waits.

    CHOICE is one of those that `runbook approvals` lists: of an instruction, done or not_done. The
    run goes on as the runbook says for that answer; nobody's answer in time is one, too.

    \b
    Examples:
      runbook answer 8 failover
      runbook answer 9 done --reason 'disk replaced'
    """
    _answer(number, reason, output, yes=True, choice=choice)


@click.command("deny")
@click.argument("number", metavar="ID", type=int)
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept with the answer.")
@options.output
def deny_command(number: int, reason: str, output: options.Output) -> None:
    r"""Say no to a fix that waits.

    One no is enough: the fix counts as declined, and the run goes on from there.

    \b
    Example:
      runbook deny 7 --reason 'being moved today'
    """
    _answer(number, reason, output, yes=False)


def _answer(
    number: int, reason: str, output: options.Output, *, yes: bool, choice: str = ""
) -> None:
    from runbook.schedule.approvals import Approvals, Stand, Vote  # noqa: PLC0415 -- as above
    from runbook.schedule.queue import Queue  # noqa: PLC0415
    from runbook.views.running import operator_name  # noqa: PLC0415

    vote = Vote(who=operator_name(), yes=yes, reason=reason, answer=choice)
    with _state() as state:
        approval = Approvals(state).vote(number, vote, datetime.now(tz=UTC))
        served = Queue(state).of_run(approval.ask.run) is not None
    if output.json:
        write_json(_document(approval))
        return
    if approval.stand is Stand.OPEN:
        people = approval.ask.people
        write(f"{len(approval.yes)} of {people} people have approved {number}.")
        return
    going_on = (
        "`runbook serve` goes on with the run"
        if served
        else f"go on with: runbook resume {approval.ask.run} --unattended"
    )
    what = "Question" if approval.ask.choices else "Approval"
    write(printable(f"{what} {number} is {approval.stand}; {going_on}."))


@contextmanager
def _state() -> "Iterator[State]":
    from runbook.schedule.state import opened  # noqa: PLC0415 -- which --help needs not

    with opened(state_place(settings_for())) as state:
        yield state


def _lines(approval: "Approval") -> Iterator[str]:
    ask = approval.ask
    hosts = ", ".join(ask.hosts)
    yield f"{approval.id}: {ask.title}, on {hosts}"
    cause = f", cause: {ask.cause}" if ask.cause else ""
    yield f"   {ask.runbook}, run {ask.run}{cause}"
    for host, about in ask.hosts.items():
        if about.evidence:
            yield f"   seen on {host}: {about.evidence}"
        if about.also_here:
            yield f"   also on {host}: {about.also_here}"
    if ask.choices:
        yield from _question_lines(approval)
        return
    if ask.impact:
        yield f"   impact: {ask.impact}"
    votes = "; ".join(
        f"{vote.who} says yes" + (f" ({vote.reason})" if vote.reason else "")
        for vote in approval.yes
    )
    wanted = f"{len(approval.yes)} of {ask.people} people" if ask.people > 1 else "one person"
    yield f"   wanted by rule “{ask.rule}”: {wanted}" + (f"; {votes}" if votes else "")
    until = ask.expires.astimezone()
    yield f"   until {until:%Y-%m-%d %H:%M %z}; runbook approve {approval.id}, or runbook deny"


def _question_lines(approval: "Approval") -> Iterator[str]:
    """Say what is to be done by hand, which answers there are, and what happens without one."""
    ask = approval.ask
    yield from (f"   {line}" for line in ask.impact.splitlines())
    yield from (f"   {choice}: {title}" for choice, title in ask.choices.items())
    until = ask.expires.astimezone()
    yield f"   until {until:%Y-%m-%d %H:%M %z}; runbook answer {approval.id} {'|'.join(ask.choices)}"


def _document(approval: "Approval") -> dict[str, object]:
    ask = approval.ask
    return {
        "approval": approval.id,
        "state": approval.stand.value,
        "told": approval.told,
        "run": ask.run,
        "runbook": ask.runbook,
        "fix": ask.fix,
        "title": ask.title,
        "impact": ask.impact,
        "cause": ask.cause,
        "rule": ask.rule,
        "people": ask.people,
        "hosts": {
            host: {"evidence": about.evidence, "also_here": about.also_here}
            for host, about in ask.hosts.items()
        },
        "asked_at": ask.asked.isoformat(timespec="seconds"),
        "expires_at": ask.expires.isoformat(timespec="seconds"),
        "choices": dict(ask.choices),
        "votes": [
            {"by": vote.who, "yes": vote.yes, "reason": vote.reason, "answer": vote.answer}
            for vote in approval.votes
        ],
    }
