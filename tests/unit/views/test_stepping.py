"""What a person is asked before each step, and what the keys come to."""

import io
import os
from dataclasses import dataclass

import pytest
from rich.console import Console

from runbook.driver.operator import EndRun, GoOn, Jump, Skip, StepReply, StepRequest
from runbook.model.definition import CheckResult, Runbook
from runbook.model.observation import Observation
from runbook.views.dialogue import Dialogue
from runbook.views.keyboard import Keyboard
from runbook.views.stepping import Stepping
from tests.engine_harness import book, branch, check, collect, fix, to

RUNBOOK = book(
    check("up", failed="state"),
    check("state", failed="restart", passed="end:escalated"),
    fix("restart", symptom="up", cause="stopped", no_effect="which"),
    branch("which", ["bundle"], otherwise="end:escalated"),
    collect("bundle", "end:escalated"),
)
REFUSED = Observation(
    result=CheckResult.FAILED,
    facts={"answered": False, "error": "refused"},
    expected="state.answered",
)


def request(step: str, **given: object) -> StepRequest:
    """Ask about a step of the runbook, on one host unless others are given."""
    found = RUNBOOK.steps[step]
    values = {"hosts": ("web1",), "title": found.title, **given}
    return StepRequest(step=found, **values)  # type: ignore[arg-type]


def put(asked: StepRequest, *lines: str, runbook: Runbook = RUNBOOK) -> tuple[StepReply, str]:
    """Put a question to somebody who types these lines; return the reply and what was shown."""
    ours, theirs = os.pipe()
    os.write(theirs, "".join(f"{line}\n" for line in lines).encode())
    os.close(theirs)
    screen = io.StringIO()
    console = Console(file=screen, width=80, highlight=False, markup=False)
    keyboard = Typing(descriptor=ours, screen=screen)
    stepping = Stepping(
        name="ann", runbook=runbook, dialogue=Dialogue(console=console, keyboard=keyboard)
    )
    try:
        return stepping.ask(asked), screen.getvalue()
    finally:
        os.close(ours)


@dataclass(kw_only=True)
class Typing(Keyboard):
    """Somebody who has typed everything ahead; the end of each line is seen on the screen."""

    screen: io.StringIO

    def forget(self) -> None:
        """Keep it: there is no other question it could be an answer to."""

    def line(self, timeout_s: float | None = None) -> str | None:
        """Return the next line."""
        typed = super().line(timeout_s)
        self.screen.write("\n")
        return typed


@pytest.mark.parametrize(
    ("step", "lines", "reply"),
    [
        ("up", [""], GoOn(by="ann")),
        ("up", ["c"], GoOn(by="ann")),
        ("restart", ["", "c"], GoOn(by="ann")),
        ("up", ["r"], GoOn(by="ann", rest=True)),
        ("up", ["q lunch"], EndRun(by="ann", reason="lunch")),
        ("up", ["a lunch"], EndRun(by="ann", reason="lunch")),
        ("restart", ["k"], Skip(by="ann", result="declined", to=to("end:declined"))),
        ("up", [], EndRun(by="ann", reason="the input ended")),
        ("up", ["x", "?", "c"], GoOn(by="ann")),
        ("up", ["s slow", "2"], Skip(by="ann", result="failed", to=to("state"), reason="slow")),
        ("up", ["s", "9", "", "c"], GoOn(by="ann")),
        ("bundle", ["s"], Skip(by="ann", result="passed", to=to("end:escalated"))),
        (
            "restart",
            ["s not now"],
            Skip(by="ann", result="declined", to=to("end:declined"), reason="not now"),
        ),
        ("up", ["j", "nowhere", "restart"], Jump(by="ann", to="restart")),
        ("up", ["j", "?", "", "c"], GoOn(by="ann")),
        ("which", ["s", "1"], Skip(by="ann", result="case 1", to=to("bundle"))),
    ],
)
def test_what_the_keys_come_to(step: str, lines: list[str], reply: StepReply) -> None:
    """Each key, with why where there is one; what is none of them is asked about again."""
    assert put(request(step), *lines)[0] == reply


def test_what_would_be_looked_at_is_said_first() -> None:
    """The step by its kind, title and id, and the looks that go with it, the many counted."""
    looks = ("up is fine", *(f"look {number} is fine" for number in range(1, 9)))

    _, shown = put(request("up", looks=looks), "c")

    assert shown.splitlines()[1:] == [
        "check up is fine (web1)",
        "  up",
        "  looks at 8 more ahead of need, all read-only:",
        *(f"    look {number} is fine" for number in range(1, 7)),
        "    and 2 more",
        "[c]ontinue [s]kip [j]ump [r]est [q]stop [?] (Enter: go on): ",
    ]


def test_what_was_seen_already_is_said_with_where_it_leads() -> None:
    """For each host, value and expectation; a fix says for which cause it is."""
    _, known = put(request("state", result="failed", seen={"web1": REFUSED}), "c")
    _, acting = put(request("restart", hosts=("web1", "web2")), "c")

    assert "  seen already: failed, goes on with: Do restart" in known
    assert "  not answered, error refused (expected state.answered)" in known
    assert "fix Do restart (2 hosts: web1, web2)" in acting
    assert "  for the cause: stopped" in acting


def test_nothing_shown_is_wider_than_the_screen_or_steers_it() -> None:
    """Long titles are cut, and controls in them escaped."""
    title = "\x1b[2J" + "words " * 40

    _, shown = put(request("up", looks=("up is fine", title)), "s", "", "j", "?", "", "c")

    assert max(map(len, shown.splitlines())) <= 80
    assert "\x1b" not in shown
