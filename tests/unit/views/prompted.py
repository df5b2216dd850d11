"""A program that asks, for a test to answer: it writes down each reply as `REPLY …`."""

import sys
import time
from dataclasses import replace
from functools import partial
from queue import SimpleQueue
from threading import Timer

from runbook.driver.operator import (
    Answer,
    ApprovalReply,
    Aside,
    EndRun,
    Note,
    OwnCheck,
    Question,
    Recheck,
)
from runbook.model.definition import Ask, CheckResult, Expiry, Manual
from runbook.model.observation import Observation
from runbook.views.console import observer_for
from runbook.views.keyboard import find_keyboard
from runbook.views.prompting import TerminalOperator
from runbook.views.terminal import console_on
from tests.engine_harness import ask, manual, to
from tests.unit.views.scenes import Play, asked, stopped

WHICH = replace(
    ask("which", {"restart": "restart", "leave": "end:declined"}),
    title="Restart it although it listens?",
    help="Look twice.",
)
BY_HAND = replace(
    manual("hand", "restart"),
    instruction="Log in to the host,\nand start the backend.",
    commands=("ssh web1", "systemctl start backend"),
)
SHORT = Expiry(after_s=1.0, next=to("end:escalated"))


def main(hosts: str, *scene: str) -> None:
    """Ask what the scene says, all at once, and write the replies as they come."""
    names = hosts.split(",")
    play = stopped(*names)
    _mark(play, "marked" in scene)
    replies: SimpleQueue[ApprovalReply | Answer | Aside] = SimpleQueue()
    request = replace(
        asked(play, *names), aside=partial(_take, replies)
    )  # Before the first prompt, which an answer may follow at once.
    keyboard = find_keyboard()
    assert keyboard is not None
    with observer_for(play.runbook, sys.stderr) as view:
        operator = TerminalOperator(
            name="ann",
            runbook=play.runbook,
            console=console_on(sys.stderr),
            view=view,
            keyboard=keyboard,
        )
        for what in scene:
            match what:
                case "approve":
                    operator.approve(request, replies.put)
                case "ask":
                    operator.answer(_question(WHICH, play), replies.put)
                case "manual":
                    operator.answer(_question(BY_HAND, play), replies.put)
                case "expires":
                    operator.answer(_question(replace(WHICH, expires=SHORT), play), replies.put)
                case "leave":
                    Timer(1.0, operator.leave).start()
                case "ready":
                    time.sleep(0.5)  # So that what was typed ahead has arrived.
        for what in scene:
            if what in ("approve", "ask", "manual"):
                print(f"REPLY {_said(replies.get())}", flush=True)


def _mark(play: Play, wanted: bool) -> None:
    """Have a name typed for each host, if that is wanted."""
    for host, state in play.states.items():
        play.states[host] = replace(state, typed=wanted, groups=("prod",))


def _take(replies: SimpleQueue[ApprovalReply | Answer | Aside], aside: Aside) -> None:
    if isinstance(aside, Recheck | EndRun):
        replies.put(aside)
        return
    print(f"REPLY {_said(aside)}", flush=True)
    if isinstance(aside, OwnCheck):
        aside.told({"web1": Observation(result=CheckResult.PASSED, facts=aside.probe.arguments)})


def _question(step: Ask | Manual, play: Play) -> Question:
    return Question(step=step, hosts=tuple(play.states), title=step.title, states=play.states)


def _said(reply: ApprovalReply | Answer | Aside) -> str:
    match reply:
        case Recheck(by=by):
            return f"Recheck {by}."
        case EndRun(by=by, reason=text) | Note(by=by, text=text) | OwnCheck(by=by, text=text):
            return f"{type(reply).__name__} {by} {text}."
        case ApprovalReply(approved=approved, by=by, reason=reason):
            return f"yes={','.join(sorted(approved))} by={by} why={reason}."
        case Answer(answer=answer, by=by, note=note):
            return f"answer={answer} by={by} note={note}."


if __name__ == "__main__":
    main(*sys.argv[1:])
