"""Asking a person at a terminal what to do with the next step of a walk."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from rich.console import RenderableType
from rich.text import Text

from runbook.driver.operator import EndRun, GoOn, Jump, Skip, StepReply, StepRequest
from runbook.model.definition import Branch, Fix, FixResult, Goto, Runbook, Step, Target
from runbook.model.targets import outcomes
from runbook.views.dialogue import Dialogue
from runbook.views.folding import fold, lead, one_row
from runbook.views.heading import Heading
from runbook.views.line import Line
from runbook.views.paths import KINDS
from runbook.views.safe_text import printable
from runbook.views.telling import tell_visits
from runbook.views.words import (
    RESULTS,
    VERDICTS,
    say_expected,
    say_hosts,
    say_observation,
    shorten,
)

_HELP = """\
c  go on: look, or do it; a destructive fix is asked about once more
s  skip it (so does k): say with which result to go on; nothing was seen then
j  jump to another step: what was seen counts no more, and the walk begins there
r  run the rest without asking before each step; fixes are still asked about
q  stop here (so does a); the run can be resumed, and asks on
Every answer but c may be followed by why: s it is known to be slow"""

_WIDTH = 76
_MOST_LOOKS = 6
_MOST_BEFORE = 3


@dataclass(kw_only=True)
class Stepping:
    """Puts the next step to whoever sits at the keyboard.

    Enter goes on where the step changes nothing. The end of input stops the run.
    """

    name: str
    runbook: Runbook
    dialogue: Dialogue

    def ask(self, request: StepRequest) -> StepReply:
        """Return what is to be done; raise OSError where the terminal is gone."""
        self.dialogue.show(Heading("Next step"))
        for row in self._came_from(request):
            self.dialogue.show(row)
        for told in self._lines(request):
            self.dialogue.show(told)
        acts = isinstance(request.step, Fix)
        enter = "Enter: asks again" if acts else "Enter: go on"
        keys = f"[c]ontinue [s]kip [j]ump [r]est [q]stop [?] ({enter}): "
        while True:
            line = self.dialogue.ask(keys)
            if line is None:
                return EndRun(by=self.name, reason="the input ended")
            key, _, rest = line.partition(" ")
            reply = self._reply(request, key.lower(), rest.strip(), acts=acts)
            if reply is not None:
                return reply

    def _reply(self, request: StepRequest, key: str, why: str, *, acts: bool) -> StepReply | None:
        match key:
            case "c" | "continue":
                return GoOn(by=self.name)
            case "" if not acts:
                return GoOn(by=self.name)
            case "r" | "rest":
                return GoOn(by=self.name, rest=True)
            case "q" | "quit" | "stop" | "a" | "abort":
                return EndRun(by=self.name, reason=printable(why))
            case "s" | "k" | "skip":
                return self._skip(request, why)
            case "j" | "jump":
                return self._jump(request, why)
            case "?" | "h" | "help":
                self.dialogue.say(_HELP)
            case "":
                self.dialogue.say("This one may change the host: type c to go on with it.")
            case _:
                self.dialogue.say(f"“{printable(key)}” is none of the answers; ? explains them.")
        return None

    def _came_from(self, request: StepRequest) -> Iterator[RenderableType]:
        """Return what the step before this one came to: the tree that shows it is gone by now."""
        ways = (
            (host, tell_visits(self.runbook, state, since=state.epoch)[-1:])
            for host, state in request.states.items()
        )
        for hosts, way in fold(ways)[:_MOST_BEFORE]:
            for told in way:
                if named := lead(hosts, request.hosts):
                    yield one_row(named)
                yield Line(mark=told.mark, title=told.title, result=told.result, seen=told.seen)

    def _lines(self, request: StepRequest) -> Iterator[Text]:
        kind = KINDS[type(request.step)].value
        where = f" ({say_hosts(request.hosts)})"
        yield Text.assemble(f"{kind} ", (printable(request.title), "bold"), where)
        yield Text(f"  {request.step.id}", style="dim")
        if request.result:
            yield from self._known(request)
        elif request.looks:
            yield from _looks(request)
        if isinstance(request.step, Fix) and request.step.cause is not None:
            cause = self.runbook.causes.get(request.step.cause)
            yield Text(f"  for the cause: {printable(cause.title if cause else '')}")

    def _known(self, request: StepRequest) -> Iterator[Text]:
        """Say what is known already, and where it leads."""
        result = _say_result(request.step, request.result)
        ways = dict(outcomes(request.step))
        leads = f", goes on with: {self._target(request, ways[request.result])}"
        yield Text(f"  seen already: {result}{leads if request.result in ways else ''}")
        for host, seen in list(request.seen.items())[:_MOST_LOOKS]:
            said = say_observation(seen, request.step.id)
            expected = say_expected(seen)
            told = f"{said} (expected {expected})" if said and expected else said
            if told:
                lead = f"{printable(host)}: " if len(request.hosts) > 1 else ""
                yield Text(f"  {lead}{shorten(told, _WIDTH)}")

    def _target(self, request: StepRequest, target: Target) -> str:
        if isinstance(target, Goto):
            return self._title(request, target.step)
        return VERDICTS[target.verdict]

    def _title(self, request: StepRequest, step: str) -> str:
        return printable(request.titles.get(step) or self.runbook.steps[step].title)

    def _skip(self, request: StepRequest, why: str) -> Skip | None:
        """Return with which result to go on; None where the person thinks better of it."""
        ways = list(outcomes(request.step))
        if isinstance(request.step, Fix):
            declined = FixResult.DECLINED.value
            return Skip(
                by=self.name, result=declined, to=dict(ways)[declined], reason=printable(why)
            )
        if len(ways) == 1:
            result, to = ways[0]
            return Skip(by=self.name, result=result, to=to, reason=printable(why))
        for number, (result, to) in enumerate(ways, start=1):
            said = f"{_say_result(request.step, result)}, so on with: {self._target(request, to)}"
            self.dialogue.say(shorten(f"  {number}  {said}", _WIDTH))
        while True:
            line = self.dialogue.ask(f"Go on as if, 1 to {len(ways)} (Enter: do not skip it)? ")
            if not line:
                return None
            if line.isdecimal() and 1 <= int(line) <= len(ways):
                result, to = ways[int(line) - 1]
                return Skip(by=self.name, result=result, to=to, reason=printable(why))
            self.dialogue.say("A number of the list, please.")

    def _jump(self, request: StepRequest, why: str) -> Jump | None:
        """Return where to jump to; None where the person thinks better of it."""
        ids = list(self.runbook.steps)
        while True:
            line = self.dialogue.ask("Jump to which step (its id; ? lists them; Enter: none)? ")
            if not line:
                return None
            if line == "?":
                self.dialogue.say("\n".join(self._listed(request, ids)))
            elif line in self.runbook.steps:
                return Jump(by=self.name, to=line, reason=printable(why))
            else:
                near = get_close_matches(line, ids, n=1)
                hint = f" Did you mean {near[0]}?" if near else ""
                self.dialogue.say(f"There is no step “{printable(line)}”.{hint}")

    def _listed(self, request: StepRequest, ids: Sequence[str]) -> Iterator[str]:
        width = min(max(map(len, ids)), 24)
        for id_ in ids:
            step = self.runbook.steps[id_]
            told = f"{id_:<{width}}  {KINDS[type(step)].value:<7} {self._title(request, id_)}"
            yield shorten(told, _WIDTH)


def _looks(request: StepRequest) -> Iterator[Text]:
    """Say what is looked at in one go."""
    others = [printable(title) for title in request.looks if title != request.title]
    if not others:
        yield Text("  looks at this alone")
        return
    yield Text(f"  looks at {len(others)} more ahead of need, all read-only:")
    for title in others[:_MOST_LOOKS]:
        yield Text(shorten(f"    {title}", _WIDTH))
    if len(others) > _MOST_LOOKS:
        yield Text(f"    and {len(others) - _MOST_LOOKS} more")


def _say_result(step: Step, result: str) -> str:
    """Say a result of a step; a branch's case by its condition."""
    number = result.removeprefix("case ")
    if isinstance(step, Branch) and number.isdecimal():
        return printable(" ".join(step.cases[int(number) - 1].when.split()))
    return RESULTS.get(result, printable(result))
