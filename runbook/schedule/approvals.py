"""Approvals out of band: what people are asked while the run that wants it is suspended.

An approval belongs to one fix of one run and to what was known of each host then; it is good for
nothing else. So does the answer to a question of the runbook. Whoever goes on with the run looks
again first.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from runbook.errors import RunbookError
from runbook.model.masking import mask_text
from runbook.schedule.queue import Queue
from runbook.schedule.requests import Stage
from runbook.schedule.state import State, at, moment

_COLUMNS = (
    "id, run, runbook, fix, title, impact, cause, rule, people, hosts, asked, expires, stand, told,"
    " choices"
)


class Stand(StrEnum):
    """How an approval stands. `withdrawn`: nobody's answer is wanted any more."""

    OPEN = "open"
    APPROVED = "approved"
    DENIED = "denied"
    ANSWERED = "answered"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, kw_only=True, slots=True)
class AboutHost:
    """A host that a fix is to be done on: what binds the answer, and what was seen there."""

    digest: str
    evidence: str = ""
    also_here: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """What people are asked: may this fix be done on these hosts.

    `rule` of the policy wants it, from so many `people`; nobody's answer counts after `expires`.
    With `choices`, titles by id, it is a question of the runbook: `fix` is its step, and `impact`
    what is to be done by hand before it is answered.
    """

    run: str
    runbook: str
    fix: str
    title: str
    impact: str
    cause: str
    rule: str
    people: int
    hosts: Mapping[str, AboutHost]
    asked: datetime
    expires: datetime
    choices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Vote:
    """What one person said, and why; `answer` is the choice they made, where it is a question."""

    who: str
    yes: bool
    reason: str
    answer: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Approval:
    """What was asked, and how it stands; `told` says what it came to."""

    id: int
    ask: Ask
    stand: Stand
    told: str
    votes: tuple[Vote, ...] = ()

    @property
    def yes(self) -> tuple[Vote, ...]:
        """Those who said yes."""
        return tuple(vote for vote in self.votes if vote.yes)


class Approvals:
    """The approvals of a state folder."""

    def __init__(self, state: State) -> None:
        self._state = state

    def put(self, ask: Ask) -> Approval:
        """Ask; what was asked before about the same fix of the run on one of the hosts is void."""
        with self._state.writing() as connection:
            for before in self.of_run(ask.run):
                same = before.ask.fix == ask.fix and before.ask.hosts.keys() & ask.hosts.keys()
                if same and before.stand is Stand.OPEN:
                    self._settle(before, Stand.WITHDRAWN, "what was seen has changed", ask.asked)
            hosts = {
                host: [about.digest, about.evidence, about.also_here]
                for host, about in ask.hosts.items()
            }
            connection.execute(
                "INSERT INTO approvals (run, runbook, fix, title, impact, cause, rule, people,"
                " hosts, asked, expires, stand, told, at, choices)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?)",
                (
                    ask.run,
                    ask.runbook,
                    ask.fix,
                    ask.title,
                    ask.impact,
                    ask.cause,
                    ask.rule,
                    ask.people,
                    json.dumps(hosts),
                    at(ask.asked),
                    at(ask.expires),
                    Stand.OPEN,
                    at(ask.asked),
                    json.dumps(dict(ask.choices)),
                ),
            )
            return self.of_run(ask.run)[0]

    def vote(self, number: int, vote: Vote, now: datetime) -> Approval:
        """Take one person's answer; one no settles it, a yes where there are enough of them.

        A question takes one of its choices, and the first one settles it. What looks like a secret in
        the reason is not kept. Raises RunbookError: `unknown-approval`, `approval-settled`,
        `voted-already`, `wrong-answer`.
        """
        self.expire(now)
        vote = replace(vote, reason=mask_text(vote.reason))
        with self._state.writing() as connection:
            approval = self.find(number)
            if approval.stand is not Stand.OPEN:
                raise RunbookError.of(
                    "approval-settled",
                    f"approval {number} is {approval.stand}: {approval.told}",
                    hint="`runbook approvals` lists those that wait.",
                )
            _check_answer(approval, vote)
            if any(one.who == vote.who and one.yes == vote.yes for one in approval.votes):
                raise RunbookError.of(
                    "voted-already",
                    f"{vote.who} has approved {number} already",
                    context=f"{len(approval.yes)} of {approval.ask.people} people have approved it.",
                    hint="Somebody else has to, under a name of their own.",
                )
            connection.execute(
                "INSERT INTO votes (approval, who, yes, reason, at, answer)"
                " VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (approval, who) DO UPDATE SET yes = excluded.yes,"
                " reason = excluded.reason, at = excluded.at",
                (number, vote.who, int(vote.yes), vote.reason, at(now), vote.answer),
            )
            approval = self.find(number)
            names = ", ".join(one.who for one in approval.yes)
            if vote.answer:
                said = f"{approval.ask.choices[vote.answer]}, says {vote.who}"
                self._settle(approval, Stand.ANSWERED, said, now)
            elif not vote.yes:
                self._settle(approval, Stand.DENIED, f"denied by {vote.who}: {vote.reason}", now)
            elif len(approval.yes) >= approval.ask.people:
                self._settle(approval, Stand.APPROVED, f"approved by {names}", now)
            return self.find(number)

    def expire(self, now: datetime) -> list[Approval]:
        """Settle what nobody answered in time, and return it."""
        over = [one for one in self.open() if one.ask.expires <= now]
        for one in over:
            waited = one.ask.expires - one.ask.asked
            self._settle(one, Stand.EXPIRED, f"nobody answered within {_span(waited)}", now)
        return over

    def withdraw(self, run: str, reason: str, now: datetime) -> None:
        """Want no answers any more for a run."""
        for one in self.of_run(run):
            if one.stand is Stand.OPEN:
                self._settle(one, Stand.WITHDRAWN, reason, now)

    def answered(self) -> list[str]:
        """Return the runs that somebody was answered for, and nobody has gone on with since."""
        rows = self._state.rows(
            "SELECT DISTINCT run FROM approvals WHERE stand <> ? AND taken_up = 0", (Stand.OPEN,)
        )
        return [run for (run,) in rows]

    def take_up(self, run: str) -> None:
        """Note that a run is gone on with, with the answers there are."""
        with self._state.writing() as connection:
            connection.execute(
                "UPDATE approvals SET taken_up = 1 WHERE run = ? AND stand <> ?", (run, Stand.OPEN)
            )

    def open(self) -> list[Approval]:
        """Return those that wait, the oldest first."""
        return self._found("WHERE stand = ? ORDER BY id", (Stand.OPEN,))

    def of_run(self, run: str) -> list[Approval]:
        """Return all that a run asked for, the newest first."""
        return self._found("WHERE run = ? ORDER BY id DESC", (run,))

    def find(self, number: int) -> Approval:
        """Return one; raise RunbookError `unknown-approval`."""
        found = self._found("WHERE id = ?", (number,))
        if not found:
            raise RunbookError.of(
                "unknown-approval",
                f"there is no approval {number}",
                hint="`runbook approvals` lists those that wait.",
            )
        return found[0]

    def forget(self, before: datetime) -> None:
        """Drop what was settled by then."""
        with self._state.writing() as connection:
            old = "SELECT id FROM approvals WHERE stand <> ? AND at < ?"
            given = (Stand.OPEN, at(before))
            connection.execute(f"DELETE FROM votes WHERE approval IN ({old})", given)  # noqa: S608
            connection.execute("DELETE FROM approvals WHERE stand <> ? AND at < ?", given)

    def _settle(self, approval: Approval, stand: Stand, told: str, now: datetime) -> None:
        with self._state.writing() as connection:
            connection.execute(
                "UPDATE approvals SET stand = ?, told = ?, at = ? WHERE id = ? AND stand = ?",
                (stand, told, at(now), approval.id, Stand.OPEN),
            )
            queue = Queue(self._state)
            kept = queue.of_run(approval.ask.run) if queue.calls else None
            if kept is not None and kept.stage is Stage.WAITING:
                self._state.call_for([kept])

    def _found(self, where: str, given: Iterable[Any]) -> list[Approval]:
        query = f"SELECT {_COLUMNS} FROM approvals {where}"  # noqa: S608 -- text of ours
        return [self._approval(row) for row in self._state.rows(query, tuple(given))]

    def _approval(self, row: tuple[Any, ...]) -> Approval:
        (number, run, runbook, fix, title, impact, cause, rule, people, hosts, asked, expires,
         stand, told, choices) = row  # fmt: skip
        votes = self._state.rows(
            "SELECT who, yes, reason, answer FROM votes WHERE approval = ? ORDER BY at, who",
            (number,),
        )
        return Approval(
            id=number,
            ask=Ask(
                run=run,
                runbook=runbook,
                fix=fix,
                title=title,
                impact=impact,
                cause=cause,
                rule=rule,
                people=people,
                hosts={
                    host: AboutHost(digest=digest, evidence=evidence, also_here=also_here)
                    for host, (digest, evidence, also_here) in json.loads(hosts).items()
                },
                asked=moment(asked),
                expires=moment(expires),
                choices=json.loads(choices),
            ),
            stand=Stand(stand),
            told=told,
            votes=tuple(
                Vote(who=who, yes=bool(yes), reason=why, answer=answer)
                for who, yes, why, answer in votes
            ),
        )


def _check_answer(approval: Approval, vote: Vote) -> None:
    """Raise RunbookError `wrong-answer` where what somebody says is no answer to what was asked."""
    choices = approval.ask.choices
    if vote.answer in choices or not (choices or vote.answer):
        return
    number = approval.id
    if not choices:
        raise RunbookError.of(
            "wrong-answer",
            f"{number} asks whether a fix may be done",
            hint=f"runbook approve {number}, or runbook deny {number}",
        )
    told = f'"{vote.answer}" is no answer to {number}' if vote.answer else f"{number} is a question"
    raise RunbookError.of(
        "wrong-answer",
        told,
        context="\n".join(f"{choice}: {title}" for choice, title in choices.items()),
        hint=f"runbook answer {number} {'|'.join(choices)}",
    )


def _span(waited: timedelta) -> str:
    minutes = round(waited.total_seconds() / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
